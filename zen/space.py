"""Spaces: what may be mutated into what, the networks a search starts from, and random networks.

The mutation is Algorithm 2 of Zen-NAS (arXiv 2102.01063): some of a random block's kind, kernel, width
and depth change uniformly within a range. Strides and their order stay, so every network of a space
reduces its input by the same factor. A block that outgrows MAX_DEPTH splits in two, which is how a
network gains blocks of stride 1.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from math import log2

from .blocks import Block, BlockKind, round_to_8
from .cost import cost
from .network import Network, parse_blocks

WIDTH_FACTORS = (2.5, 2.0, 1.5, 1.25, 1.0, 0.8, 2 / 3, 0.5, 0.4)
DEPTH_STEPS = (-2, -1, 1, 2)
ALTER_SHARE = 0.3
"""Chance that a mutation alters one property of its block. Altering all at once leaves a search stuck:
30,000 evaluations in the CIFAR space under 1M parameters reach 184 to 190, this reaches 196 to 198."""
MORE_SHARE = 0.3
"""Chance that a mutation goes on to one more block. Budgets bind, so what one block gains another must give:
with one block at a time, 96,000 evaluations in the CIFAR space under 1M parameters (population 512, six
seeds) reach a median of 200.8, with this 205.5; 0.5 and 0.7 reach 204.5 and 204.8 and take longer."""
MAX_DEPTH = 10
MIN_WIDTH, MAX_WIDTH, MAX_LAST_WIDTH = 8, 2048, 4096
SMALL_RESOLUTION = 64
"""Up to this resolution a network keeps more of it: the CIFAR start networks, a total stride of 8."""


@dataclass(frozen=True)
class Space:
    """A family of networks: a stem, residual blocks of these kinds, and a last 1x1 convolution."""

    name: str
    kinds: tuple[BlockKind, ...]
    expansions: tuple[int, ...]
    small_start: str
    large_start: str
    max_macs: float
    """Largest random network at resolution 224; smaller resolutions get proportionally less."""
    kernels: tuple[int, ...] = (3, 5, 7)

    def start(self, resolution: int) -> tuple[Block, ...]:
        """The blocks that a search begins with."""
        text = self.small_start if resolution <= SMALL_RESOLUTION else self.large_start
        return tuple(block for block in parse_blocks(text) if isinstance(block, Block))

    def smallest(self, resolution: int) -> tuple[Block, ...]:
        """The start with every width and depth at its least: what fits no budget fits none."""
        blocks = []
        for block in self.start(resolution):
            least = replace(block, out_channels=MIN_WIDTH, layers=1)
            if block.kind != "conv":
                least = replace(
                    least, kernel=min(self.kernels), bottleneck=MIN_WIDTH, expansion=min(self.expansions)
                )
            blocks.append(least)
        return chain(blocks)


SPACES = {
    space.name: space
    for space in (
        Space(
            name="resnet",
            kinds=("basic", "bottleneck"),
            expansions=(1,),
            small_start=(
                "SuperConvK3BNRELU(3,8,1,1)SuperResK3K3(8,16,1,8,1)SuperResK3K3(16,32,2,16,1)"
                "SuperResK3K3(32,64,2,32,1)SuperResK3K3(64,64,2,32,1)SuperConvK1BNRELU(64,128,1,1)"
            ),
            large_start=(
                "SuperConvK3BNRELU(3,32,2,1)SuperResK3K3(32,64,2,32,1)SuperResK3K3(64,128,2,64,1)"
                "SuperResK3K3(128,256,2,128,1)SuperResK3K3(256,512,2,256,1)SuperConvK1BNRELU(512,512,1,1)"
            ),
            max_macs=5e9,
        ),
        Space(
            name="mobilenet",
            kinds=("inverted",),
            expansions=(1, 2, 4, 6),
            small_start=(
                "SuperConvK3BNRELU(3,8,1,1)SuperResIDWE6K3(8,16,1,8,1)SuperResIDWE6K3(16,32,2,16,1)"
                "SuperResIDWE6K3(32,48,2,32,1)SuperResIDWE6K3(48,64,2,48,1)SuperConvK1BNRELU(64,512,1,1)"
            ),
            large_start=(
                "SuperConvK3BNRELU(3,8,2,1)SuperResIDWE6K3(8,32,2,8,1)SuperResIDWE6K3(32,48,2,32,1)"
                "SuperResIDWE6K3(48,96,2,48,1)SuperResIDWE6K3(96,128,2,96,1)SuperConvK1BNRELU(128,2048,1,1)"
            ),
            max_macs=1.5e9,
        ),
    )
}


def chain(blocks: list[Block]) -> tuple[Block, ...]:
    """The blocks with every input width set to the output width before it."""
    channels = 3
    for index, block in enumerate(blocks):
        if block.in_channels != channels:
            blocks[index] = replace(block, in_channels=channels)
        channels = block.out_channels
    return tuple(blocks)


def mutate(blocks: tuple[Block, ...], space: Space, rng: random.Random) -> tuple[Block, ...]:
    """The blocks with a random one replaced, and with MORE_SHARE one more, and so on; always another
    network, unless every number hit its range."""
    mutated = _mutated(blocks, space, rng)
    while rng.random() < MORE_SHARE:
        mutated = _mutated(mutated, space, rng)
    return mutated


def _mutated(blocks: tuple[Block, ...], space: Space, rng: random.Random) -> tuple[Block, ...]:
    mutated = list(blocks)
    index = rng.randrange(len(blocks))
    block = blocks[index]
    if index == 0 or index == len(blocks) - 1:
        # The stem and the last convolution have a width and nothing else.
        widest = MAX_WIDTH if index == 0 else MAX_LAST_WIDTH
        mutated[index] = replace(block, out_channels=_scaled(block.out_channels, rng, widest))
        return chain(mutated)
    chosen = [name for name in _ALTERABLE if rng.random() < ALTER_SHARE] or [rng.choice(_ALTERABLE)]
    for name in chosen:
        block = _altered(block, name, space, rng)
    mutated[index : index + 1] = _split(block)
    return chain(mutated)


_ALTERABLE = ("kind", "kernel", "expansion", "out_channels", "bottleneck", "layers")


def _altered(block: Block, name: str, space: Space, rng: random.Random) -> Block:
    match name:
        case "kind":
            return replace(block, kind=rng.choice(space.kinds))
        case "kernel":
            return replace(block, kernel=rng.choice(space.kernels))
        case "expansion":
            return replace(block, expansion=rng.choice(space.expansions))
        case "out_channels":
            return replace(block, out_channels=_scaled(block.out_channels, rng))
        case "bottleneck":
            return replace(block, bottleneck=_scaled(block.bottleneck, rng))
        case _:
            return replace(block, layers=max(1, block.layers + rng.choice(DEPTH_STEPS)))


def _split(block: Block) -> list[Block]:
    if block.layers <= MAX_DEPTH:
        return [block]
    half = block.layers // 2
    return [replace(block, layers=block.layers - half), replace(block, layers=half, stride=1)]


def _scaled(width: int, rng: random.Random, widest: int = MAX_WIDTH) -> int:
    return min(widest, round_to_8(width * rng.choice(WIDTH_FACTORS)))


def random_network(space: Space, resolution: int, classes: int, rng: random.Random) -> Network:
    """A network drawn widely from a space: widths that grow by octaves, depths 1 to 5, all kinds.

    Redrawn until it is neither trivial nor larger than the space's limit at this resolution.
    """
    limit = space.max_macs * (resolution / 224) ** 1.5
    while True:
        network = Network(_random_blocks(space, resolution, rng), resolution, classes)
        if limit / 100 <= cost(network).macs <= limit:
            return network


def _random_blocks(space: Space, resolution: int, rng: random.Random) -> tuple[Block, ...]:
    template = space.start(resolution)
    strides = [block.stride for block in template[1:-1]]
    for _ in range(rng.randint(0, 2)):
        strides.insert(rng.randint(1, len(strides)), 1)
    width = float(_octaves(rng, 8, 48))
    blocks = [replace(template[0], out_channels=round_to_8(width))]
    for stride in strides:
        width = min(1024.0, width * 2 ** rng.uniform(-0.3, 1.6 if stride > 1 else 0.8))
        narrow = 2 ** rng.uniform(-2.5, 0.3)
        blocks.append(
            Block(
                kind=rng.choice(space.kinds),
                kernel=rng.choice(space.kernels),
                in_channels=MIN_WIDTH,
                out_channels=round_to_8(width),
                stride=stride,
                layers=rng.randint(1, 5),
                bottleneck=min(512, round_to_8(width * narrow)),
                expansion=rng.choice(space.expansions),
            )
        )
    blocks.append(replace(template[-1], out_channels=round_to_8(_octaves(rng, 128, 2048))))
    return chain(blocks)


def _octaves(rng: random.Random, low: float, high: float) -> float:
    return float(2 ** rng.uniform(log2(low), log2(high)))
