"""Units and workloads: the pieces of a network that a device times, lowered to operations.

A unit is one convolution with its batch norm, one residual unit, or the classifier head; a workload is a
unit at one input size.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import ClassVar, Literal

from ..errors import NetworkError
from .graph import INPUT, Graph, GraphBuilder

MAX_WIDTH = 65_536


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

    @property
    def label(self) -> str:
        """A short text for people."""
        return str(self)

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

    @property
    def label(self) -> str:
        return f"conv {self.kernel}x{self.kernel} {self.in_channels}>{self.out_channels} /{self.stride}"

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

    @property
    def label(self) -> str:
        widths = f"{self.in_channels}>{self.hidden_channels}>{self.out_channels}"
        extras = " projection" * self.projection + " se" * self.squeeze_excite
        return f"{self.style} {self.kernel}x{self.kernel} {widths} /{self.stride}{extras}"

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

    @property
    def label(self) -> str:
        return f"head {self.in_channels}>{self.classes}"

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
    def label(self) -> str:
        return f"{self.unit.label} at {self.size}"

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


def _squeeze_excite(builder: GraphBuilder, x: str) -> str:
    channels = builder.shape(x)[0]
    squeezed = max(1, round(0.25 * channels))
    y = builder.conv(builder.global_average_pool(x), squeezed, 1)
    y = builder.activation(builder.batch_norm(y), "relu")
    y = builder.batch_norm(builder.conv(y, channels, 1))
    return builder.multiply(x, builder.activation(y, "sigmoid"))
