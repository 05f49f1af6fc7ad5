"""Pieces: blocks at their input sizes, each made once, with what they add to every sum.

A search looks at hundreds of thousands of networks of ten blocks and meets only a tenth as many different
blocks. So a block at one input size is one object: what it costs is worked out when first asked for, a
changed block is looked up where its origin keeps it, and a network is a tuple of pieces, compared and
hashed by their identity.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from .blocks import Block
from .budget import LatencyModel, Part
from .cost import workload_cost
from .network import IMAGE_CHANNELS
from .proxies.base import Reading
from .proxies.closed_form import Transfer, block_transfer
from .shape import Depth, block_depth
from .units.plain import HeadUnit
from .workload import Workload

MOST_PIECES = 50_000
"""Beyond so many a store is full and its owner makes a new one, so that memory stays bounded."""


class Piece:
    """A block (or the head) at one input size; what nobody asked for yet is None or -1."""

    __slots__ = (
        "block",
        "depth",
        "head",
        "latencies",
        "layers",
        "macs",
        "output_size",
        "params",
        "peak_activation_bytes",
        "size",
        "transfer",
        "variants",
    )

    def __init__(self, block: Block, size: int) -> None:
        self.block, self.size = block, size
        self.layers, self.output_size = block.layers, block.output_size(size)
        self.macs = self.params = self.peak_activation_bytes = -1
        self.transfer: Transfer | None = None
        self.latencies: tuple[Part, ...] | None = None
        self.depth: Depth | None = None
        self.head: Head | None = None
        self.variants: dict[tuple[str, int | str], Piece] = {}


class Head:
    """The classifier behind a last block."""

    __slots__ = ("latencies", "macs", "params", "peak_activation_bytes")

    def __init__(self, workload: Workload, latencies: tuple[Part, ...]) -> None:
        cost = workload_cost(workload)
        self.macs, self.params = cost.macs, cost.params
        self.peak_activation_bytes = cost.peak_activation_bytes
        self.latencies = latencies


Genome = tuple[Piece, ...]


class Pieces:
    """The store of pieces for one number of classes, one reading of the score, and these latency models."""

    def __init__(self, classes: int, reading: Reading, models: Sequence[LatencyModel]) -> None:
        self.classes, self.reading, self.models = classes, reading, models
        self._known: dict[tuple[Block, int], Piece] = {}

    @property
    def full(self) -> bool:
        return len(self._known) > MOST_PIECES

    def genome(self, blocks: Iterable[Block], resolution: int) -> Genome:
        """The pieces of a network."""
        found, size = [], resolution
        for block in blocks:
            found.append(self.piece(block, size))
            size = found[-1].output_size
        return tuple(found)

    def piece(self, block: Block, size: int) -> Piece:
        piece = self._known.get((block, size))
        if piece is None:
            piece = self._known[block, size] = Piece(block, size)
        return piece

    def changed(self, piece: Piece, name: str, value: int | str) -> Piece:
        """The piece with one property of its block set to another value."""
        variant = piece.variants.get((name, value))
        if variant is None:
            block: Block = replace(piece.block, **{name: value})  # type: ignore[arg-type]
            variant = piece.variants[name, value] = self.piece(block, piece.size)
        return variant

    def halves(self, piece: Piece) -> tuple[Piece, Piece]:
        """A long block as two of half its layers; the second has no stride."""
        half = piece.layers // 2
        first = self.changed(piece, "layers", piece.layers - half)
        block = replace(piece.block, in_channels=piece.block.out_channels, stride=1, layers=half)
        return first, self.piece(block, piece.output_size)

    def count(self, piece: Piece) -> None:
        """Fills in MACs, parameters and peak activations."""
        macs = params = peak = 0
        for workload, repeats in _workloads(piece):
            cost = workload_cost(workload)
            macs += repeats * cost.macs
            params += repeats * cost.params
            peak = max(peak, cost.peak_activation_bytes)
        piece.macs, piece.params, piece.peak_activation_bytes = macs, params, peak

    def transfer(self, piece: Piece) -> Transfer:
        """What the piece does to the score."""
        if piece.transfer is None:
            first = piece.block.in_channels == IMAGE_CHANNELS
            piece.transfer, _ = block_transfer(piece.block, piece.size, self.reading, first)
        return piece.transfer

    def latencies(self, piece: Piece) -> tuple[Part, ...]:
        """What the piece adds on every device."""
        if piece.latencies is None:
            workloads = list(_workloads(piece))
            piece.latencies = tuple(
                Part.sum([model.block(workload).times(repeats) for workload, repeats in workloads])
                for model in self.models
            )
        return piece.latencies

    def depth(self, piece: Piece) -> Depth:
        if piece.depth is None:
            first = piece.block.in_channels == IMAGE_CHANNELS
            piece.depth = block_depth(piece.block, piece.size, first)
        return piece.depth

    def head(self, last: Piece) -> Head:
        """The classifier behind a network's last piece."""
        if last.head is None:
            workload = Workload(HeadUnit(last.block.out_channels, self.classes), last.output_size)
            last.head = Head(workload, tuple(model.block(workload) for model in self.models))
        return last.head


def _workloads(piece: Piece) -> Iterable[tuple[Workload, int]]:
    """The units of a piece at their sizes, those that repeat once and with their number."""
    size = piece.size
    for unit, repeats in piece.block.repeated_units():
        yield Workload(unit, size), repeats
        size = unit.output_size(size)
