"""Random networks of a space, drawn widely: what a device is profiled on and scores are tested with."""

from __future__ import annotations

import random
from dataclasses import replace
from math import log2

from ..errors import UserError
from ..quantities import format_count
from .blocks import Block, round_to_8
from .cost import cost
from .network import Network
from .space import Space, chain

_TRIES = 10_000


def random_network(space: Space, resolution: int, classes: int, rng: random.Random) -> Network:
    """A network drawn widely from a space: widths that grow by octaves, depths 1 to 5, all kinds.

    Redrawn until it is neither trivial nor larger than the space's limit at this resolution.
    """
    limit = space.random_macs_at_224 * (resolution / 224) ** 1.5
    for _ in range(_TRIES):
        network = Network(_random_blocks(space, resolution, rng), resolution, classes)
        if limit / 100 <= cost(network).macs <= limit:
            return network
    raise UserError(
        f"the space '{space.name}' has hardly a network of {format_count(limit / 100)} to "
        f"{format_count(limit)} MACs at resolution {resolution}; change its random_macs_at_224"
    )


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
