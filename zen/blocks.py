"""Blocks: the super blocks of the Zen-NAS line, what a structure string spells and a search mutates.

Source: Zen-NAS (arXiv 2102.01063, appendix on the design of blocks); the unrolling is checked against
the parameter counts of the 12 published ZenNets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from operator import attrgetter
from typing import Any, Literal

from ..errors import NetworkError
from .units.base import MAX_STRIDE, MAX_WIDTH, Unit
from .units.plain import ConvUnit, ResidualUnit
from .workload import Workload

BlockKind = Literal["conv", "basic", "bottleneck", "inverted"]
MAX_LAYERS = 256


@dataclass(frozen=True, slots=True)
class Block:
    """One super block: `layers` repeats, only the first with the stride. `bottleneck` is 0 for `conv`."""

    kind: BlockKind
    kernel: int
    in_channels: int
    out_channels: int
    stride: int
    layers: int
    bottleneck: int = 0
    expansion: int = 1

    @property
    def name(self) -> str:
        k = self.kernel
        return {
            "conv": f"SuperConvK{k}BNRELU",
            "basic": f"SuperResK{k}K{k}",
            "bottleneck": f"SuperResK1K{k}K1",
            "inverted": f"SuperResIDWE{self.expansion}K{k}",
        }[self.kind]

    def __str__(self) -> str:
        widths = f"{self.in_channels},{self.out_channels},{self.stride}"
        middle = "" if self.kind == "conv" else f",{self.bottleneck}"
        return f"{self.name}({widths}{middle},{self.layers})"

    def changed(self, name: str, value: int | str) -> Block:
        """The block with one field set, in half the time of `dataclasses.replace`: a search asks often."""
        values: list[Any] = list(_field_values(self))
        values[_FIELDS.index(name)] = value
        return Block(*values)

    def units(self, squeeze_excite: bool = False) -> Iterator[Unit]:
        """The units in order; the first carries the stride and a projection shortcut."""
        yield from self._layer(squeeze_excite, first=True)
        if self.layers > 1:
            repeated = self._layer(squeeze_excite, first=False)
            for _ in range(self.layers - 1):
                yield from repeated

    def repeated_units(self) -> Iterator[tuple[Unit, int]]:
        """The units without squeeze-and-excite, those that repeat once and with their number."""
        for unit in self._layer(False, first=True):
            yield unit, 1
        if self.layers > 1:
            for unit in self._layer(False, first=False):
                yield unit, self.layers - 1

    def output_size(self, size: int) -> int:
        return -(-size // self.stride)

    def _layer(self, squeeze_excite: bool, first: bool) -> list[Unit]:
        """The units of one layer; the first layer of a block reads another tensor and carries the stride."""
        in_channels, stride = (self.in_channels, self.stride) if first else (self.out_channels, 1)
        if self.kind == "conv":
            return [ConvUnit(self.kernel, in_channels, self.out_channels, stride)]
        units: list[Unit] = []
        projection = first
        for hidden, out in self._unit_widths():
            projection = projection or in_channels != out
            units.append(
                ResidualUnit(
                    self.kind, self.kernel, in_channels, hidden, out, stride, projection, squeeze_excite
                )
            )
            in_channels, stride, projection = out, 1, False
        return units

    def _unit_widths(self) -> Sequence[tuple[int, int]]:
        if self.kind == "inverted":
            return (
                (round_to_8(self.bottleneck * self.expansion), self.bottleneck),
                (round_to_8(self.out_channels * self.expansion), self.out_channels),
            )
        return ((self.bottleneck, self.out_channels),) * (2 if self.kind == "bottleneck" else 1)

    def check(self) -> None:
        """Raises NetworkError, naming the block, where a number makes no sense."""
        widths = {"input width": self.in_channels, "output width": self.out_channels}
        if self.kind != "conv":
            widths["bottleneck width"] = self.bottleneck
        for what, width in widths.items():
            if not 1 <= width <= MAX_WIDTH:
                raise NetworkError(f"{self}: the {what} must be 1 to {MAX_WIDTH}, not {width}")
        if not 1 <= self.stride <= MAX_STRIDE:
            raise NetworkError(f"{self}: the stride must be 1 to {MAX_STRIDE}, not {self.stride}")
        if not 1 <= self.layers <= MAX_LAYERS:
            raise NetworkError(f"{self}: the number of layers must be 1 to {MAX_LAYERS}, not {self.layers}")


_FIELDS = tuple(field.name for field in fields(Block))
_field_values = attrgetter(*_FIELDS)


@lru_cache(maxsize=65_536)
def block_workloads(block: Block | Unit, size: int, squeeze_excite: bool = False) -> tuple[Workload, ...]:
    """The workloads of one block at one input size, in order."""
    found: list[Workload] = []
    for unit in block.units(squeeze_excite):
        workload = Workload(unit, size)
        found.append(workload)
        size = workload.output_size
    return tuple(found)


def round_to_8(width: float) -> int:
    """The nearest multiple of 8, at least 8."""
    return max(8, int(width + 4) // 8 * 8)


_NAMES: tuple[tuple[BlockKind, re.Pattern[str], int], ...] = (
    ("conv", re.compile(r"SuperConvK([1357])BNRELU"), 4),
    ("basic", re.compile(r"SuperResK([357])K\1"), 5),
    ("bottleneck", re.compile(r"SuperResK1K([357])K1"), 5),
    ("inverted", re.compile(r"SuperResIDWE(?P<expansion>[1246])K([357])"), 5),
)


def parse_block(name: str, arguments: str) -> Block:
    """The block `name(arguments)`; raises NetworkError with what is wrong in it."""
    text = f"{name}({arguments})"
    for kind, pattern, count in _NAMES:
        match = pattern.fullmatch(name)
        if match is None:
            continue
        parts = [part.strip() for part in arguments.split(",")]
        if len(parts) != count or not all(re.fullmatch(r"-?[0-9]{1,9}", part) for part in parts):
            middle = "" if kind == "conv" else "bottleneck,"
            raise NetworkError(f"{text} should read {name}(in,out,stride,{middle}layers) in whole numbers")
        in_channels, out_channels, stride, *middle_width, layers = map(int, parts)
        bottleneck = middle_width[0] if middle_width else 0
        expansion = int(match["expansion"]) if kind == "inverted" else 1
        kernel = int(match[match.lastindex or 1])
        block = Block(kind, kernel, in_channels, out_channels, stride, layers, bottleneck, expansion)
        block.check()
        return block
    raise NetworkError(
        f"unknown block '{name}'; known are SuperConvK{{1,3,5,7}}BNRELU, SuperResK{{3,5,7}}K{{same}}, "
        "SuperResK1K{3,5,7}K1 and SuperResIDWE{1,2,4,6}K{3,5,7}"
    )
