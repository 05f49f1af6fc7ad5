"""The units of the Zen-NAS line: a convolution, a residual unit, the head.

Source: Zen-NAS (arXiv 2102.01063, appendix on the design of blocks).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ..graph import PlainFunction
from ..graph_builder import GraphBuilder
from .base import Unit


@dataclass(frozen=True, slots=True)
class ConvUnit(Unit):
    """Convolution, batch norm, activation."""

    kind: ClassVar[str] = "conv"
    kernel: int
    in_channels: int
    out_channels: int
    stride: int
    activation: PlainFunction = "relu"

    @property
    def total_stride(self) -> int:
        return self.stride

    @property
    def layers(self) -> int:
        return 1

    @property
    def open_widths(self) -> tuple[str, ...]:
        return ("in_channels", "out_channels")

    @property
    def label(self) -> str:
        widths = f"{self.in_channels}>{self.out_channels}"
        return f"conv {self.kernel}x{self.kernel} {widths} /{self.stride}" + (
            "" if self.activation == "relu" else f" {self.activation}"
        )

    def lower(self, builder: GraphBuilder, x: str) -> str:
        x = builder.conv(x, self.out_channels, self.kernel, self.stride)
        return builder.activation(builder.batch_norm(x), self.activation)


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
    def total_stride(self) -> int:
        return self.stride

    @property
    def layers(self) -> int:
        return 2 if self.style == "basic" else 3

    @property
    def family(self) -> str:
        return self.style

    @property
    def open_widths(self) -> tuple[str, ...]:
        if self.squeeze_excite:  # a quarter of the channels, rounded
            return ()
        return ("in_channels", "hidden_channels", "out_channels")

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
    def out_channels(self) -> int:
        return self.classes

    @property
    def layers(self) -> int:
        return 1

    @property
    def open_widths(self) -> tuple[str, ...]:
        return ("in_channels",)

    @property
    def label(self) -> str:
        return f"head {self.in_channels}>{self.classes}"

    def lower(self, builder: GraphBuilder, x: str) -> str:
        return builder.linear(builder.global_average_pool(x), self.classes)


def _squeeze_excite(builder: GraphBuilder, x: str) -> str:
    channels = builder.shape(x)[0]
    squeezed = max(1, round(0.25 * channels))
    y = builder.conv(builder.global_average_pool(x), squeezed, 1)
    y = builder.activation(builder.batch_norm(y), "relu")
    y = builder.batch_norm(builder.conv(y, channels, 1))
    return builder.multiply(x, builder.activation(y, "sigmoid"))
