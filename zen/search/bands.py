"""Bands of depth and width: what a search keeps beside its best, so that its finalists differ."""

from __future__ import annotations

from collections.abc import Iterable
from math import log

from .block_cache import Genome
from .population import Living

DEPTH_FACTOR, WIDTH_FACTOR = 1.25, 1.5
"""A band reaches from a number of layers, and from a mean width, to so many times that."""

Band = tuple[int, int]

_PER_DEPTH, _PER_WIDTH = 1 / log(DEPTH_FACTOR), 1 / log(WIDTH_FACTOR)


def band(genome: Genome) -> Band:
    """The band of a network, by its layers and their mean number of output channels."""
    layers = channels = 0
    for cached in genome:
        layers += cached.layers
        channels += cached.layers * cached.block.out_channels
    return int(log(layers) * _PER_DEPTH), int(log(channels / layers) * _PER_WIDTH)


class BestOfBands:
    """The member of every band that scores most."""

    def __init__(self, members: Iterable[Living]) -> None:
        self._best: dict[Band, Living] = {}
        for score, born, genome in members:
            self.join(score, born, genome)

    def join(self, score: float, born: int, genome: Genome) -> None:
        key = band(genome)
        kept = self._best.get(key)
        if kept is None or (-score, born) < (-kept[0], kept[1]):
            self._best[key] = (score, born, genome)

    def members(self) -> list[Living]:
        return list(self._best.values())
