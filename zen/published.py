"""Published networks with the shapes that they have, and the slack that a search gives them: data."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from .families import zoo
from .network import Network, parse_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NetworkKind = Literal["residual", "inverted"]
_CIFAR_CLASSES = 10


@dataclass(frozen=True)
class PublishedNetwork:
    """One row of `spaces/published.toml`, which says what its numbers are.

    `blocks` is the structure where the zoo has no network of that name.
    """

    name: str
    kind: NetworkKind
    resolution: int
    macs: int
    layers: int
    min_width: int
    max_stage_share: float
    max_depth_to_width: float
    source: str
    blocks: str | None = None

    def network(self) -> Network:
        return parse_text(self.blocks, self.resolution, _CIFAR_CLASSES) if self.blocks else zoo(self.name)


@cache
def published_networks() -> tuple[PublishedNetwork, ...]:
    return tuple(PublishedNetwork(**row) for row in _data()["network"])


def shape_slack() -> Mapping[str, float]:
    """By the name of a limit, what the most of the published networks is multiplied by."""
    slack: Mapping[str, float] = _data()["slack"]
    return slack


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath("spaces", "published.toml").read_text("utf-8"))
