"""Blocks and the units they unroll to: the super blocks of the Zen-NAS line, lowered to operations.

A `Block` is what a search mutates and a structure string spells; a `Unit` is the piece that a device
times: one convolution with its batch norm, one residual unit, or the classifier head.
Source: Zen-NAS (arXiv 2102.01063, appendix on the design of blocks); the unrolling is checked against
the parameter counts of the 12 published ZenNets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import ClassVar, Literal

from ..errors import NetworkError
from .graph import INPUT, Graph, GraphBuilder

BlockKind = Literal["conv", "basic", "bottleneck", "inverted"]
MAX_WIDTH = 65_536
MAX_LAYERS = 256


class Unit:
    """The smallest piece that is timed: it lowers to operations from one tensor to one tensor."""

    kind: ClassVar[str]

    def lower(self, builder: GraphBuilder, x: str) -> str:
        """Appends this unit's operations behind tensor `x` and returns the last tensor."""
        raise TypeError(f"{type(self).__name__} does not lower itself")

    @property
    def input_channels(self) -> int:
        raise TypeError(f"{type(self).__name__} names no input channels")

    @property
    def total_stride(self) -> int:
        """Input size over output size."""
        return 1

    def __str__(self) -> str:
        values = ",".join(f"{f.name}={_plain(getattr(self, f.name))}" for f in fields(self))  # type: ignore[arg-type]
        return f"{self.kind}({values})"


@dataclass(frozen=True, slots=True)
class ConvUnit(Unit):
    """Convolution, batch norm, ReLU."""

    kind: ClassVar[str] = "conv"
    kernel: int
    in_channels: int
    out_channels: int
    stride: int

    @property
    def input_channels(self) -> int:
        return self.in_channels

    @property
    def total_stride(self) -> int:
        return self.stride

    def lower(self, builder: GraphBuilder, x: str) -> str:
        x = builder.conv(x, self.out_channels, self.kernel, self.stride)
        return builder.activation(builder.batch_norm(x), "relu")


@dataclass(frozen=True, slots=True)
class ResidualUnit(Unit):
    """Two or three convolutions with a shortcut around them and a ReLU after the sum.

    basic: k x k, k x k. bottleneck: 1x1, k x k, 1x1. inverted: 1x1, depthwise k x k, 1x1.
    The stride sits in the first k x k convolution. `projection`: the shortcut is a 1x1 convolution.
    """

    kind: ClassVar[str] = "residual"
    style: Literal["basic", "bottleneck", "inverted"]
    kernel: int
    in_channels: int
    hidden_channels: int
    out_channels: int
    stride: int
    projection: bool
    squeeze_excite: bool = False

    @property
    def input_channels(self) -> int:
        return self.in_channels

    @property
    def total_stride(self) -> int:
        return self.stride

    def lower(self, builder: GraphBuilder, x: str) -> str:
        hidden = self.hidden_channels
        if self.style == "basic":
            y = builder.conv(x, hidden, self.kernel, self.stride)
        else:
            y = builder.activation(builder.batch_norm(builder.conv(x, hidden, 1)), "relu")
            groups = hidden if self.style == "inverted" else 1
            y = builder.conv(y, hidden, self.kernel, self.stride, groups)
        y = builder.activation(builder.batch_norm(y), "relu")
        if self.squeeze_excite:
            y = _squeeze_excite(builder, y)
        last_kernel = self.kernel if self.style == "basic" else 1
        y = builder.batch_norm(builder.conv(y, self.out_channels, last_kernel))
        shortcut = x
        if self.projection:
            shortcut = builder.batch_norm(builder.conv(x, self.out_channels, 1, self.stride, bias=True))
        return builder.activation(builder.add(y, shortcut), "relu")


@dataclass(frozen=True, slots=True)
class HeadUnit(Unit):
    """Global average pool and linear classifier."""

    kind: ClassVar[str] = "head"
    in_channels: int
    classes: int

    @property
    def input_channels(self) -> int:
        return self.in_channels

    def lower(self, builder: GraphBuilder, x: str) -> str:
        return builder.linear(builder.global_average_pool(x), self.classes)


UNIT_KINDS: dict[str, type[Unit]] = {unit.kind: unit for unit in (ConvUnit, ResidualUnit, HeadUnit)}


@dataclass(frozen=True, slots=True)
class Workload:
    """One unit at one input size (height = width): what is timed, stored and predicted.

    `str()` gives its key, which `parse` reads back.
    """

    unit: Unit
    size: int

    def __str__(self) -> str:
        return f"{self.unit}@{self.size}"

    @property
    def output_size(self) -> int:
        return (self.size - 1) // self.unit.total_stride + 1

    def graph(self) -> Graph:
        return _workload_graph(self)

    @staticmethod
    def parse(key: str) -> Workload:
        """The workload that a key names; raises NetworkError on any other text."""
        match = re.fullmatch(r"(\w+)\(([\w=,]*)\)@([1-9]\d{0,8})", key, re.ASCII)
        unit_type = UNIT_KINDS.get(match[1]) if match else None
        if match is None or unit_type is None:
            raise NetworkError(f"'{key}' is not the key of a workload")
        pairs = [item.partition("=")[::2] for item in match[2].split(",")]
        expected = [f.name for f in fields(unit_type)]  # type: ignore[arg-type]
        if [name for name, _ in pairs] != expected:
            raise NetworkError(f"workload '{key}' should have the fields {', '.join(expected)}")
        unit = unit_type(**{name: _typed(name, value, key) for name, value in pairs})
        return Workload(unit, int(match[3]))


# Small: the readers of a new workload (cost, score, latency) come one after the other.
@lru_cache(maxsize=1024)
def _workload_graph(workload: Workload) -> Graph:
    builder = GraphBuilder((workload.unit.input_channels, workload.size, workload.size))
    workload.unit.lower(builder, INPUT)
    return builder.graph()


def _plain(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _typed(name: str, value: str, key: str) -> object:
    if name == "style":
        if value not in ("basic", "bottleneck", "inverted"):
            raise NetworkError(f"workload '{key}' has the unknown style '{value}'")
        return value
    if name in ("projection", "squeeze_excite"):
        if value not in ("0", "1"):
            raise NetworkError(f"workload '{key}': {name} must be 0 or 1, not '{value}'")
        return value == "1"
    if not re.fullmatch(r"[1-9]\d{0,8}", value, re.ASCII):
        raise NetworkError(f"workload '{key}': {name} must be a whole number above zero, not '{value}'")
    if name == "kernel" and int(value) % 2 == 0:
        raise NetworkError(f"workload '{key}': the kernel must be odd, not {value}")
    return int(value)


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

    def units(self, squeeze_excite: bool = False) -> Iterator[Unit]:
        """The units in order; the first carries the stride and a projection shortcut."""
        if self.kind == "conv":
            for layer in range(self.layers):
                first = layer == 0
                in_channels = self.in_channels if first else self.out_channels
                yield ConvUnit(self.kernel, in_channels, self.out_channels, self.stride if first else 1)
            return
        in_channels = self.in_channels
        for index, (hidden, out) in enumerate(self._unit_widths()):
            projection = index == 0 or in_channels != out
            yield ResidualUnit(
                self.kind,
                self.kernel,
                in_channels,
                hidden,
                out,
                self.stride if index == 0 else 1,
                projection,
                squeeze_excite,
            )
            in_channels = out

    def _unit_widths(self) -> Iterator[tuple[int, int]]:
        for _ in range(self.layers):
            if self.kind == "inverted":
                yield round_to_8(self.bottleneck * self.expansion), self.bottleneck
                yield round_to_8(self.out_channels * self.expansion), self.out_channels
            else:
                repeats = 2 if self.kind == "bottleneck" else 1
                yield from [(self.bottleneck, self.out_channels)] * repeats

    def check(self) -> None:
        """Raises NetworkError, naming the block, where a number makes no sense."""
        widths = {"input width": self.in_channels, "output width": self.out_channels}
        if self.kind != "conv":
            widths["bottleneck width"] = self.bottleneck
        for what, width in widths.items():
            if not 1 <= width <= MAX_WIDTH:
                raise NetworkError(f"{self}: the {what} must be 1 to {MAX_WIDTH}, not {width}")
        if not 1 <= self.stride <= 8:
            raise NetworkError(f"{self}: the stride must be 1 to 8, not {self.stride}")
        if not 1 <= self.layers <= MAX_LAYERS:
            raise NetworkError(f"{self}: the number of layers must be 1 to {MAX_LAYERS}, not {self.layers}")


@lru_cache(maxsize=65_536)
def block_workloads(block: Block, size: int, squeeze_excite: bool = False) -> tuple[Workload, ...]:
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


def _squeeze_excite(builder: GraphBuilder, x: str) -> str:
    channels = builder.shape(x)[0]
    squeezed = max(1, round(0.25 * channels))
    y = builder.conv(builder.global_average_pool(x), squeezed, 1)
    y = builder.activation(builder.batch_norm(y), "relu")
    y = builder.batch_norm(builder.conv(y, channels, 1))
    return builder.multiply(x, builder.activation(y, "sigmoid"))


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
