"""Crossover: now and then a child has two parents, the head of one network and the tail of another."""

from __future__ import annotations

import random
from collections.abc import Callable

from .block_cache import BlockCache, Genome
from .mutation import Mutate

_TRIES = 4
_UNCHANGED = 0.5
"""Of the children with two parents, the share that is not mutated as well."""


def child(
    parent: Callable[[], Genome], mutate: Mutate, crossover: float, cache: BlockCache, rng: random.Random
) -> Genome:
    """A child of parents drawn one by one; the share `crossover` has two."""
    draw, found = rng.random, parent()
    if draw() < crossover:
        found = crossed(found, parent(), cache, rng)
        if draw() < _UNCHANGED:
            return found
    return mutate(found, cache, rng)


def crossed(head: Genome, tail: Genome, cache: BlockCache, rng: random.Random) -> Genome:
    """The first blocks of one and the last of the other, cut where their feature maps are of one size.

    So the input is reduced as before, while blocks of stride 1 come and go. The head itself where a few
    random cuts do not fit.
    """
    draw = rng.random
    for _ in range(_TRIES):
        end, begin = 1 + int(draw() * (len(head) - 1)), 1 + int(draw() * (len(tail) - 1))
        first = tail[begin]
        if head[end].size == first.size:
            width = head[end - 1].block.out_channels
            if first.block.in_channels != width:
                first = cache.changed(first, "in_channels", width)
            return (*head[:end], first, *tail[begin + 1 :])
    return head
