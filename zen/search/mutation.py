"""Mutation: a random change of a network within its space, in two ways.

Both leave the strides and their order as they are, so that every network found from a start reduces its
input by the same factor. A block that outgrows the space's limit splits in two, which is how a network
gains blocks of stride 1.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from ..blocks import round_to_8
from ..space import Space
from .block_cache import BlockCache, CachedBlock, Genome

WIDTH_FACTORS = (2.5, 2.0, 1.5, 1.25, 0.8, 2 / 3, 0.5, 0.4)
DEPTH_STEPS = (-2, -1, 1, 2)
MORE_CHANCE = 0.75
SAME_BLOCK_CHANCE = 0.5

Mutate = Callable[[Genome, BlockCache, random.Random], Genome]


class StepMutation:
    """A few steps, each changing one property of one block; the next step stays with the block or not."""

    def __init__(self, space: Space) -> None:
        self._space = space
        choices = {"kind": space.kinds, "kernel": space.kernels, "expansion": space.expansions}
        self._choices = {name: values for name, values in choices.items() if len(values) > 1}
        self._properties = (*self._choices, "out_channels", "bottleneck", "layers")

    def __call__(self, genome: Genome, cache: BlockCache, rng: random.Random) -> Genome:
        # Called for every proposal: written for speed.
        draw = rng.random
        mutated = list(genome)
        index = int(draw() * len(mutated))
        value: int | str
        while True:
            cached = mutated[index]
            block = cached.block
            if block.kind == "conv":
                name = "out_channels"
            else:
                name = self._properties[int(draw() * len(self._properties))]
            if name in ("out_channels", "bottleneck"):
                old = block.out_channels if name == "out_channels" else block.bottleneck
                factor = WIDTH_FACTORS[int(draw() * len(WIDTH_FACTORS))]
                least, most = self._space.last_widths if index == len(mutated) - 1 else self._space.widths
                width = int(old * factor + 4) // 8 * 8
                value = least if width < least else most if width > most else width
            elif name == "layers":
                value = max(1, block.layers + DEPTH_STEPS[int(draw() * len(DEPTH_STEPS))])
            else:
                values = self._choices[name]
                value = values[int(draw() * len(values))]
            place(mutated, index, cache.changed(cached, name, value), self._space, cache)
            if draw() >= MORE_CHANCE:
                return tuple(mutated)
            if draw() >= SAME_BLOCK_CHANCE:
                index = int(draw() * len(mutated))


def place(
    genome: list[CachedBlock], index: int, cached: CachedBlock, space: Space, cache: BlockCache
) -> None:
    """Puts a changed block in its place: fits the next one to its width, splits it where it is too long."""
    old = genome[index].block.out_channels
    genome[index] = cached
    block = cached.block
    if block.out_channels != old and index + 1 < len(genome):
        genome[index + 1] = cache.changed(genome[index + 1], "in_channels", block.out_channels)
    if block.layers > space.most_layers_a_block:
        genome[index : index + 1] = cache.halves(cached)


class PaperMutation:
    """Algorithm 2 of Zen-NAS (arXiv 2102.01063): one uniformly chosen block gets a new kind, kernel, width
    and depth at once, widths and depth drawn uniformly from half to double of what they were.
    """

    def __init__(self, space: Space) -> None:
        self._space = space

    def __call__(self, genome: Genome, cache: BlockCache, rng: random.Random) -> Genome:
        mutated = list(genome)
        index = rng.randrange(len(mutated))
        cached, space = mutated[index], self._space
        limits = space.last_widths if index == len(mutated) - 1 else space.widths
        cached = self._rescaled(cached, "out_channels", limits, cache, rng)
        if cached.block.kind != "conv":
            cached = cache.changed(cached, "kind", rng.choice(space.kinds))
            cached = cache.changed(cached, "kernel", rng.choice(space.kernels))
            cached = cache.changed(cached, "expansion", rng.choice(space.expansions))
            cached = self._rescaled(cached, "bottleneck", space.widths, cache, rng)
            layers = rng.randint((cached.layers + 1) // 2, 2 * cached.layers)
            cached = cache.changed(cached, "layers", layers)
        place(mutated, index, cached, space, cache)
        return tuple(mutated)

    def _rescaled(
        self, cached: CachedBlock, name: str, limits: tuple[int, int], cache: BlockCache, rng: random.Random
    ) -> CachedBlock:
        width = round_to_8(getattr(cached.block, name) * rng.uniform(0.5, 2.0))
        return cache.changed(cached, name, min(max(width, limits[0]), limits[1]))
