"""The known networks, readable as `zoo:NAME`."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Protocol

from ...errors import NetworkError
from ..network import Network
from . import (
    densenets,
    dfnets,
    dnanets,
    efficientnets,
    mnasnet,
    mobilenetv2,
    ofanets,
    regnets,
    resnests,
    resnets,
    zennets,
)

PREFIX = "zoo:"


class Family(Protocol):
    """A module of this package."""

    __name__: str
    SOURCE: str
    """Where the configurations were published."""

    def names(self) -> tuple[str, ...]: ...

    def build(self, name: str) -> Network: ...


FAMILIES: tuple[Family, ...] = (
    zennets,
    resnets,
    densenets,
    resnests,
    mobilenetv2,
    mnasnet,
    efficientnets,
    regnets,
    ofanets,
    dfnets,
    dnanets,
)


def zoo_names() -> tuple[str, ...]:
    """Every name that `zoo` takes, without the prefix."""
    return tuple(name for family in FAMILIES for name in family.names())


def zoo(name: str) -> Network:
    """The known network of that name (with or without `zoo:`), at its own resolution and classes."""
    short = name.removeprefix(PREFIX).lower()
    for family in FAMILIES:
        if short in family.names():
            return family.build(short)
    close = get_close_matches(short, zoo_names(), n=3, cutoff=0.5)
    hint = (
        f"did you mean {' or '.join(PREFIX + match for match in close)}?"
        if close
        else "zenbench cost zoo:all lists them"
    )
    raise NetworkError(f"no network is called '{PREFIX}{short}'; {hint}")
