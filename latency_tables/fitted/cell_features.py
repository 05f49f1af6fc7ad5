"""CellFeatures: what the latency of a network of NAS-Bench-201 is explained by."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

from ...errors import TableError
from ...zen.families.nas_bench_201 import CELLS_A_STAGE, STAGES, cell_ops
from ...zen.graph_network import AnyNetwork
from ...zen.units.cell import CELL_EDGES, CellReductionUnit, CellStemUnit, CellUnit
from ...zen.units.dense import NormUnit
from ...zen.units.plain import HeadUnit
from ...zen.workload import Workload

CONVERTED = "converted"
LISTED = "listed"
LISTED_IDLE = "listed, skip and none counted"
CELL_READINGS = (CONVERTED, LISTED, LISTED_IDLE)
"""What a stack runs of a cell: what a converter leaves of it, every operation that it lists, or the same
where handing on and writing zeros take time too."""

_WORK = ("nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
_SKIP, _NONE = "skip_connect", "none"

_CHANNELS, _SIZE = 16, 32
"""The cell in which work is counted: that of the first stage."""
_OTHERS = (CellStemUnit, CellReductionUnit, NormUnit, HeadUnit)
_FIXED_MACS = 9 * 3 * 16 * 32**2 + (9 * 16 + 9 * 32 + 16) * 32 * 16**2 + (9 * 32 + 9 * 64 + 32) * 64 * 8**2
"""Of stem and reductions on 32 pixels; the head's are none beside them."""


class CellFeatures:
    """The operations of the cells that are run by one reading, which edge each is on, and products of their
    counts, because branches overlap.

    All cells of a network are equal, so the stages are told apart by their work alone: MACs of convolutions,
    values of pools and sums.
    """

    space = "nasbench201"

    def __init__(self, reading: str = CONVERTED) -> None:
        self.reading = reading
        idle = (_SKIP, _NONE) if reading == LISTED_IDLE else ()
        self._ops = (*_WORK, *(idle or (_SKIP,)))
        self._pairs = tuple(combinations_with_replacement(self._ops, 2))
        carriers = ("stem and reductions", *_WORK, "sum", *idle)
        self._idle, self.carriers = idle, len(carriers)
        self.names = (
            *carriers,
            *(f"{op} {source}>{target}" for source, target in CELL_EDGES for op in self._ops),
            *(f"{one} x {other}" for one, other in self._pairs),
        )

    def check(self, network: AnyNetwork) -> None:
        for block in network.blocks:
            if not isinstance(block, CellUnit | CellStemUnit | CellReductionUnit | NormUnit):
                raise TableError(f"the block {block} is none of the space {self.space}")

    def unit(self, workload: Workload) -> Sequence[float]:
        unit = workload.unit
        if isinstance(unit, CellUnit):
            return self.cell(self._edges(unit.ops), unit.channels, workload.size)
        if not isinstance(unit, _OTHERS):
            raise TableError(
                f"{workload.label} is none of the space {self.space}, to which the table was fitted"
            )
        return (_fixed_macs(workload) / _FIXED_MACS, *(0.0,) * (len(self.names) - 1))

    def beside(self, network: AnyNetwork) -> Sequence[float] | None:
        """The cells that a network lists and leaves out, since they only hand their input on."""
        if self.reading == CONVERTED or any(isinstance(block, CellUnit) for block in network.blocks):
            return None
        ops = cell_ops(network.name or "")
        if ops is None:
            return None
        edges = self._edges(".".join(ops))
        size = network.resolution
        stages = [self.cell(edges, _CHANNELS << stage, size >> stage) for stage in range(STAGES)]
        return [CELLS_A_STAGE * sum(values) for values in zip(*stages, strict=True)]

    def _edges(self, ops: str) -> Sequence[tuple[int, int, str]]:
        if self.reading == CONVERTED:
            return computed(ops)
        listed = zip(CELL_EDGES, ops.split("."), strict=True)
        return [(*edge, op) for edge, op in listed if op != _NONE or _NONE in self._ops]

    def cell(self, edges: Sequence[tuple[int, int, str]], channels: int, size: int) -> Sequence[float]:
        """The features of a cell of which these edges are run."""
        values = channels * size**2 / (_CHANNELS * _SIZE**2)
        macs = values * channels / _CHANNELS
        ops = [op for *_, op in edges]
        counts = {op: ops.count(op) for op in self._ops}
        summed = [target for _, target, op in edges if op != _NONE]
        there = set(edges)
        return (
            *(0.0, macs * counts[_WORK[0]], macs * counts[_WORK[1]], values * counts[_WORK[2]]),
            values * (len(summed) - len(set(summed))),
            *(values * counts[op] for op in self._idle),
            *(macs * ((*edge, op) in there) for edge in CELL_EDGES for op in self._ops),
            *(macs * counts[one] * counts[other] for one, other in self._pairs),
        )


def computed(cell: str) -> tuple[tuple[int, int, str], ...]:
    """(source, target, operation) of what a converter leaves of a cell, given by its operations and dots.

    Beside what the output depends on, that is an operation whose input is a sum of two zeros: a converter
    folds away an operation on zeros, but not the sum. Of 1,000 measured cells 11 have one; without it they
    are predicted 15 to 17 % too fast.
    """
    ops = dict(zip(CELL_EDGES, cell.split("."), strict=True))
    there = [edge for edge, op in ops.items() if op != "none"]
    fed, needed = {0}, {CELL_EDGES[-1][1]}
    for target in (1, 2):
        sources = {source for source, to in there if to == target}
        if sources & fed or (target == 2 and not sources):
            fed.add(target)
    for source, target in reversed(there):
        if target in needed:
            needed.add(source)
    return tuple((*edge, ops[edge]) for edge in there if edge[0] in fed and edge[1] in needed)


def _fixed_macs(workload: Workload) -> int:
    unit, size = workload.unit, workload.output_size
    if isinstance(unit, CellStemUnit):
        return 9 * unit.in_channels * unit.out_channels * size**2
    if isinstance(unit, CellReductionUnit):
        taps = 9 * unit.in_channels + 9 * unit.out_channels + unit.in_channels
        return taps * unit.out_channels * size**2
    return 0
