"""BlockCache: blocks at their input sizes, each made once, with what they add to every sum.

A search looks at hundreds of thousands of networks of ten blocks and meets only a tenth as many different
blocks. So a block at one input size is one object: what it costs is worked out when first asked for, a
changed block is looked up where its origin keeps it, and a network is a tuple of them, compared and
hashed by their identity.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter

from ..blocks import Block
from ..cost import workload_cost, workload_counts
from ..latency import Domain, LatencyModel, Part
from ..network import IMAGE_CHANNELS
from ..proxies.base import Reading
from ..proxies.closed_form import Transfer, unit_transfer
from ..units.base import Unit
from ..units.plain import HeadUnit
from ..workload import Workload
from .shape_limits import Depth, block_depth, narrowest

MOST_BLOCKS = 50_000
"""Beyond so many a store is full and its owner makes a new one, so that memory stays bounded."""


class CachedBlock:
    """A block (or the head) at one input size; what nobody asked for yet is None or -1."""

    __slots__ = (
        "block",
        "depth",
        "head",
        "known",
        "latencies",
        "layers",
        "macs",
        "output_size",
        "params",
        "peak_activation_bytes",
        "size",
        "transfer",
        "units",
        "variants",
        "width",
    )

    def __init__(self, block: Block, size: int) -> None:
        self.block, self.size = block, size
        self.layers, self.output_size = block.layers, block.output_size(size)
        self.width = narrowest((block,))
        self.units: tuple[tuple[UnitTerms, int], ...] | None = None
        self.macs = self.params = self.peak_activation_bytes = -1
        self.transfer: Transfer | None = None
        self.latencies: tuple[float, ...] | None = None
        self.depth: Depth | None = None
        self.known: bool | None = None
        self.head: UnitTerms | None = None
        self.variants: dict[tuple[str, int | str], CachedBlock] = {}


class UnitTerms:
    """A unit at one input size, which many blocks share; `transfer` and `latencies` when first asked for."""

    __slots__ = ("latencies", "macs", "params", "transfer", "workload")

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self.macs, self.params = workload_counts(workload)
        self.transfer: Transfer | None = None
        self.latencies: tuple[float, ...] | None = None


Genome = tuple[CachedBlock, ...]


class BlockCache:
    """The cache for one number of classes, one reading of the score, and these latency models."""

    def __init__(self, classes: int, reading: Reading, models: Sequence[LatencyModel]) -> None:
        self.classes, self.reading, self.models = classes, reading, models
        self._known: dict[tuple[Block, int], CachedBlock] = {}
        self._extras: list[int] = []
        self._units: dict[tuple[Unit, int], UnitTerms] = {}

    @property
    def full(self) -> bool:
        return len(self._known) > MOST_BLOCKS

    def close(self) -> None:
        """Forgets all blocks. They point at one another, so they would stay until a search for cycles."""
        for cached in self._known.values():
            cached.variants.clear()
        self._known.clear()
        self._units.clear()

    def genome(self, blocks: Iterable[Block], resolution: int) -> Genome:
        """The blocks of a network."""
        found, size = [], resolution
        for block in blocks:
            found.append(self.cached(block, size))
            size = found[-1].output_size
        return tuple(found)

    def cached(self, block: Block, size: int) -> CachedBlock:
        cached = self._known.get((block, size))
        if cached is None:
            cached = self._known[block, size] = CachedBlock(block, size)
        return cached

    def changed(self, cached: CachedBlock, name: str, value: int | str) -> CachedBlock:
        """The block with one property set to another value."""
        variant = cached.variants.get((name, value))
        if variant is None:
            variant = cached.variants[name, value] = self.cached(
                cached.block.changed(name, value), cached.size
            )
        return variant

    def halves(self, cached: CachedBlock) -> tuple[CachedBlock, CachedBlock]:
        """A long block as two of half its layers; the second has no stride."""
        half = cached.layers // 2
        first = self.changed(cached, "layers", cached.layers - half)
        block = replace(cached.block, in_channels=cached.block.out_channels, stride=1, layers=half)
        return first, self.cached(block, cached.output_size)

    def count(self, cached: CachedBlock) -> None:
        """Fills in MACs and parameters."""
        macs = params = 0
        for unit, repeats in self.units(cached):
            macs += repeats * unit.macs
            params += repeats * unit.params
        cached.macs, cached.params = macs, params

    def peak_activation_bytes(self, cached: CachedBlock) -> int:
        if cached.peak_activation_bytes < 0:
            cached.peak_activation_bytes = max(
                workload_cost(unit.workload).peak_activation_bytes for unit, _ in self.units(cached)
            )
        return cached.peak_activation_bytes

    def transfer(self, cached: CachedBlock) -> Transfer:
        """What the block does to the score."""
        if cached.transfer is None:
            first, found = cached.block.in_channels == IMAGE_CHANNELS, Transfer()
            # The units of a repeated layer come in turns.
            for repeats, units in groupby(self.units(cached), key=itemgetter(1)):
                layer = Transfer()
                for unit, _ in units:
                    if unit.transfer is None:
                        unit.transfer = unit_transfer(unit.workload, self.reading, first)
                    layer, first = layer.then(unit.transfer), False
                found = found.then(layer.repeated(repeats))
            cached.transfer = found
        return cached.transfer

    def latencies(self, cached: CachedBlock) -> tuple[float, ...]:
        """What the block adds on every device: the numbers of each model's Part, one after the other."""
        if cached.latencies is None:
            units = [(self.unit_latencies(unit), repeats) for unit, repeats in self.units(cached)]
            cached.latencies = tuple(
                map(sum, zip(*([x * repeats for x in unit] for unit, repeats in units), strict=True))
            )
        return cached.latencies

    def unit_latencies(self, unit: UnitTerms) -> tuple[float, ...]:
        if unit.latencies is None:
            parts = [model.block(unit.workload) for model in self.models]
            unit.latencies = tuple(x for part in parts for x in part.flat())
            self._extras = [len(part.extras) for part in parts]
        return unit.latencies

    def parts(self, sums: Sequence[float]) -> Iterator[Part]:
        """The sum of the blocks' `latencies` as one Part a model."""
        start = 0
        for extras in self._extras:
            ms, variance, measured_ms, *rest = sums[start : start + 3 + extras]
            yield Part(ms, variance, measured_ms, tuple(rest))
            start += 3 + extras

    def depth(self, cached: CachedBlock) -> Depth:
        if cached.depth is None:
            cached.depth = block_depth(cached.block, cached.size)
        return cached.depth

    def known(self, cached: CachedBlock, domains: Sequence[Domain]) -> bool:
        """Whether every domain, always the same ones, has all operations of the block."""
        if cached.known is None:
            cached.known = all(
                domain.knows(unit.workload) for unit, _ in self.units(cached) for domain in domains
            )
        return cached.known

    def head(self, last: CachedBlock) -> UnitTerms:
        """The classifier behind a network's last block."""
        if last.head is None:
            last.head = self._unit(HeadUnit(last.block.out_channels, self.classes), last.output_size)
        return last.head

    def units(self, cached: CachedBlock) -> tuple[tuple[UnitTerms, int], ...]:
        """The units of a block at their sizes, those that repeat once and with their number."""
        if cached.units is None:
            found, size = [], cached.size
            for unit, repeats in cached.block.repeated_units():
                found.append((self._unit(unit, size), repeats))
                size = unit.output_size(size)
            cached.units = tuple(found)
        return cached.units

    def _unit(self, unit: Unit, size: int) -> UnitTerms:
        terms = self._units.get((unit, size))
        if terms is None:
            terms = self._units[unit, size] = UnitTerms(Workload(unit, size))
        return terms
