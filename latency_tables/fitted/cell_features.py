"""CellFeatures: what the latency of a network of NAS-Bench-201 is explained by."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

from ...errors import TableError
from ...zen.network import Network
from ...zen.units.cell import CELL_EDGES, CellReductionUnit, CellStemUnit, CellUnit
from ...zen.units.dense import NormUnit
from ...zen.units.plain import HeadUnit
from ...zen.workload import Workload

_WORK = ("nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
_ACTIVE = (*_WORK, "skip_connect")
_PAIRS = tuple(combinations_with_replacement(range(len(_ACTIVE)), 2))
_CARRIERS = ("stem and reductions", *_WORK, "sum")

_CHANNELS, _SIZE = 16, 32
"""The cell in which work is counted: that of the first stage."""
_OTHERS = (CellStemUnit, CellReductionUnit, NormUnit, HeadUnit)
_FIXED_MACS = 9 * 3 * 16 * 32**2 + (9 * 16 + 9 * 32 + 16) * 32 * 16**2 + (9 * 32 + 9 * 64 + 32) * 64 * 8**2
"""Of stem and reductions on 32 pixels; the head's are none beside them."""


class CellFeatures:
    """The operations of the cells that are computed, which edge each is on, and products of their counts,
    because branches overlap.

    All cells of a network are equal, so the stages are told apart by their work alone: MACs of convolutions,
    values of pools and sums.
    """

    space = "nasbench201"
    carriers = len(_CARRIERS)
    names = (
        *_CARRIERS,
        *(f"{op} {source}>{target}" for source, target in CELL_EDGES for op in _ACTIVE),
        *(f"{_ACTIVE[one]} x {_ACTIVE[other]}" for one, other in _PAIRS),
    )

    def check(self, network: Network) -> None:
        for block in network.blocks:
            if not isinstance(block, CellUnit | CellStemUnit | CellReductionUnit | NormUnit):
                raise TableError(f"the block {block} is none of the space {self.space}")

    def unit(self, workload: Workload) -> Sequence[float]:
        unit = workload.unit
        if isinstance(unit, CellUnit):
            return cell_features(computed(unit), unit.channels, workload.size)
        if not isinstance(unit, _OTHERS):
            raise TableError(
                f"{workload.label} is none of the space {self.space}, to which the table was fitted"
            )
        return (_fixed_macs(workload) / _FIXED_MACS, *(0.0,) * (len(self.names) - 1))


def computed(unit: CellUnit) -> tuple[tuple[int, int, str], ...]:
    """(source, target, operation) of what a runtime computes of a cell.

    Beside what the output depends on, that is an operation whose input is a sum of two zeros: a converter
    folds away an operation on zeros, but not the sum. Of 1,000 measured cells 11 have one; without it they
    are predicted 15 to 17 % too fast.
    """
    ops = dict(zip(CELL_EDGES, unit.ops.split("."), strict=True))
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


def cell_features(edges: Sequence[tuple[int, int, str]], channels: int, size: int) -> Sequence[float]:
    """The features of a cell of which these edges are computed."""
    values = channels * size**2 / (_CHANNELS * _SIZE**2)
    macs = values * channels / _CHANNELS
    counts = [sum(op == active for *_, op in edges) for active in _ACTIVE]
    sums = len(edges) - len({target for _, target, _ in edges})
    return (
        *(0.0, macs * counts[0], macs * counts[1], values * counts[2], values * sums),
        *(macs * ((*edge, op) in edges) for edge in CELL_EDGES for op in _ACTIVE),
        *(macs * counts[one] * counts[other] for one, other in _PAIRS),
    )


def _fixed_macs(workload: Workload) -> int:
    unit, size = workload.unit, workload.output_size
    if isinstance(unit, CellStemUnit):
        return 9 * unit.in_channels * unit.out_channels * size**2
    if isinstance(unit, CellReductionUnit):
        taps = 9 * unit.in_channels + 9 * unit.out_channels + unit.in_channels
        return taps * unit.out_channels * size**2
    return 0
