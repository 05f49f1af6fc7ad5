"""The known networks, readable as `zoo:NAME`."""

from __future__ import annotations

from difflib import get_close_matches

from ...errors import NetworkError
from ..network import Network
from . import zennets

PREFIX = "zoo:"


def zoo_names() -> tuple[str, ...]:
    """Every name that `zoo` takes, without the prefix."""
    return tuple(zennets.names())


def zoo(name: str) -> Network:
    """The known network of that name (with or without `zoo:`), at its own resolution and classes."""
    short = name.removeprefix(PREFIX).lower()
    if short in zennets.names():
        return zennets.build(short)
    close = get_close_matches(short, zoo_names(), n=3, cutoff=0.5)
    hint = (
        f"did you mean {' or '.join(PREFIX + match for match in close)}?"
        if close
        else "zenbench cost zoo:all lists them"
    )
    raise NetworkError(f"no network is called '{PREFIX}{short}'; {hint}")
