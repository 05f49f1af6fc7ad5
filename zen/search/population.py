"""Populations: who is kept, and who is a parent."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

from ..blocks import Block
from .block_cache import BlockCache, Genome
from .crossover import child
from .mutation import Mutate

Member = tuple[float, int, tuple[Block, ...]]
"""A score, a number that orders members by birth, and blocks."""

Living = tuple[float, int, Genome]
"""A member whose blocks are of the cache."""


class Population(Protocol):
    """The members of one island, whatever keeps them."""

    def propose(self, cache: BlockCache, rng: random.Random) -> Genome:
        """A child of its members."""
        ...

    def join(self, score: float, born: int, genome: Genome) -> None:
        """Takes a member in, and lets those go that have no more room."""
        ...

    def members(self) -> Sequence[Living]:
        """All of them, in an order from which the same population can be made again."""
        ...

    def __contains__(self, genome: Genome) -> bool: ...


class Fittest:
    """Those that score most: parents are uniformly random, and the worst leaves."""

    def __init__(self, members: Iterable[Living], size: int, mutate: Mutate, crossover: float) -> None:
        self._heap = list(members)
        self._size, self._mutate, self._crossover = size, mutate, crossover
        self._known = Counter(genome for _, _, genome in self._heap)

    def propose(self, cache: BlockCache, rng: random.Random) -> Genome:
        heap, draw = self._heap, rng.random
        return child(lambda: heap[int(draw() * len(heap))][2], self._mutate, self._crossover, cache, rng)

    def join(self, score: float, born: int, genome: Genome) -> None:
        known = self._known
        known[genome] += 1
        entry = (score, born, genome)
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, entry)
        else:
            gone = heapq.heappushpop(self._heap, entry)[2]
            known[gone] -= 1
            if not known[gone]:
                del known[gone]

    def members(self) -> Sequence[Living]:
        return self._heap

    def __contains__(self, genome: Genome) -> bool:
        return genome in self._known
