"""Pooling between the units of a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..graph import PlainFunction
from ..graph_builder import GraphBuilder
from .base import Unit


@dataclass(frozen=True, slots=True)
class MaxPoolUnit(Unit):
    """Maximum over square windows, as after the stem of a ResNet."""

    kind: ClassVar[str] = "max_pool"
    kernel: int
    in_channels: int
    stride: int

    @property
    def out_channels(self) -> int:
        return self.in_channels

    @property
    def total_stride(self) -> int:
        return self.stride

    @property
    def label(self) -> str:
        return f"max pool {self.kernel}x{self.kernel} {self.in_channels} /{self.stride}"

    def lower(self, builder: GraphBuilder, x: str) -> str:
        return builder.pool(x, "max", self.kernel, self.stride)


@dataclass(frozen=True, slots=True)
class PooledConvUnit(Unit):
    """Global average pool, 1x1 convolution, activation: the widening behind the last map of MobileNetV3.

    Source: MobileNetV3 (arXiv 1905.02244, section 5.1 and figure 5).
    """

    kind: ClassVar[str] = "pooled_conv"
    in_channels: int
    out_channels: int
    activation: PlainFunction

    def output_size(self, size: int) -> int:
        return 1

    @property
    def layers(self) -> int:
        return 1

    @property
    def label(self) -> str:
        return f"pooled conv {self.in_channels}>{self.out_channels} {self.activation}"

    def lower(self, builder: GraphBuilder, x: str) -> str:
        x = builder.conv(builder.global_average_pool(x), self.out_channels, 1)
        return builder.activation(x, self.activation)
