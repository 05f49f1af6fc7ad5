"""Random networks: of a space, drawn widely, and relatives of the known networks.

A device is profiled on both, and scores are tested with the first: spaces have no gates, groups, dense units
or activations but ReLU, which the networks that people hold are full of.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from math import log2
from typing import Any

from ..errors import NetworkError, UserError
from ..quantities import format_count
from .blocks import Block, round_to_8
from .cost import cost
from .families import FAMILIES
from .network import IMAGE_CHANNELS, Network
from .space import Space, chain
from .units.base import Unit
from .units.resnet import ResNetUnit

_TRIES = 10_000
_SMALLEST_SHARE = 1 / 100
"""Of the limit on MACs, what a random network has at least."""
MOST_MACS_AT_224 = 5e9
"""Of a known network's relative."""
_FACTORS = (0.5, 0.75, 1.25, 1.5)

NetworkSource = Callable[[int, int, random.Random], Network]
"""Draws a network by resolution, classes and a stream of random numbers."""


@dataclass(frozen=True)
class SpaceSource:
    """Draws random networks of a space."""

    space: Space

    def __call__(self, resolution: int, classes: int, rng: random.Random) -> Network:
        return random_network(self.space, resolution, classes, rng)


def usual_classes(resolution: int) -> int:
    """Those of CIFAR-100 and of ImageNet."""
    return 100 if resolution <= 64 else 1000


def random_network(space: Space, resolution: int, classes: int, rng: random.Random) -> Network:
    """A network drawn widely from a space: widths that grow by octaves, depths 1 to 5, all kinds.

    Redrawn until it is neither trivial nor larger than the space's limit at this resolution.
    """
    limit = _most_macs(space.random_macs_at_224, resolution)
    for _ in range(_TRIES):
        network = Network(_random_blocks(space, resolution, rng), resolution, classes)
        if _SMALLEST_SHARE * limit <= cost(network).macs <= limit:
            return network
    raise UserError(
        f"the space '{space.name}' has hardly a network of {format_count(_SMALLEST_SHARE * limit)} to "
        f"{format_count(limit)} MACs at resolution {resolution}; change its random_macs_at_224"
    )


def random_relative(resolution: int, classes: int, rng: random.Random) -> Network:
    """A known network with other widths, its groups as wide as they were or wider by whole eights: no known
    network itself, and none of its units."""
    limit = _most_macs(MOST_MACS_AT_224, resolution)
    families = _known_by_family()
    while True:
        known = rng.choice(rng.choice(families))
        factor = rng.choice(_FACTORS)
        try:
            blocks = _widened(known, factor)
            network = replace(known, blocks=blocks, resolution=resolution, classes=classes, name=None)
            macs = cost(network).macs
        except NetworkError:
            continue  # as where its last maps have no pixel left
        if _SMALLEST_SHARE * limit <= macs <= limit:
            return network


@cache
def _known_by_family() -> tuple[tuple[Network, ...], ...]:
    """So that a family of many members is drawn no more often than one of few."""
    return tuple(tuple(map(family.build, family.names())) for family in FAMILIES)


def _most_macs(at_224: float, resolution: int) -> float:
    return at_224 * float((resolution / 224) ** 1.5)


_WIDTHS = ("hidden_channels", "out_channels", "squeezed_channels", "growth", "bottleneck")


def _widened(network: Network, factor: float) -> tuple[Block | Unit, ...]:
    """The network's blocks with every width times a factor."""
    blocks: list[Block | Unit] = []
    channels = IMAGE_CHANNELS
    for block in network.blocks:
        changes: dict[str, Any] = {"in_channels": channels}
        for name in _WIDTHS:
            if width := getattr(block, name, 0):
                changes[name] = _scaled(width, factor)
        if isinstance(block, ResNetUnit) and block.groups > 1:
            group = _scaled(block.hidden_channels // block.groups, factor)
            changes["hidden_channels"] = block.groups * group
        blocks.append(_changed(block, changes))
        channels = blocks[-1].out_channels
    return tuple(blocks)


def _changed(block: Block | Unit, changes: Mapping[str, Any]) -> Block | Unit:
    own = {field.name for field in fields(block)}
    return replace(block, **{name: value for name, value in changes.items() if name in own})


def _scaled(width: int, factor: float) -> int:
    """In steps of 8, so that what was of one width stays so; narrower ones stay as they are."""
    return round_to_8(factor * width) if width > 8 else width


def _random_blocks(space: Space, resolution: int, rng: random.Random) -> tuple[Block, ...]:
    template = space.start(resolution)
    strides = [block.stride for block in template[1:-1]]
    for _ in range(rng.randint(0, 2)):
        strides.insert(rng.randint(1, len(strides)), 1)
    width = float(_octaves(rng, 8, 48))
    blocks = [replace(template[0], out_channels=_width(width, space.widths))]
    for stride in strides:
        width = min(1024.0, width * 2 ** rng.uniform(-0.3, 1.6 if stride > 1 else 0.8))
        narrow = 2 ** rng.uniform(-2.5, 0.3)
        blocks.append(
            Block(
                kind=rng.choice(space.kinds),
                kernel=rng.choice(space.kernels),
                in_channels=8,
                out_channels=_width(width, space.widths),
                stride=stride,
                layers=rng.randint(1, min(5, space.most_layers_a_block)),
                bottleneck=_width(min(512.0, width * narrow), space.widths),
                expansion=rng.choice(space.expansions),
            )
        )
    blocks.append(replace(template[-1], out_channels=_width(_octaves(rng, 128, 2048), space.last_widths)))
    return chain(blocks)


def _width(width: float, limits: tuple[int, int]) -> int:
    return min(max(round_to_8(width), limits[0]), limits[1])


def _octaves(rng: random.Random, low: float, high: float) -> float:
    return float(2 ** rng.uniform(log2(low), log2(high)))
