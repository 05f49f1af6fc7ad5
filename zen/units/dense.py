"""The units of a DenseNet: normalised before they convolve, joined along the channels.

Source: DenseNet (arXiv 1608.06993, section 3: DenseNet-BC).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..graph_builder import GraphBuilder
from .base import Unit


@dataclass(frozen=True, slots=True)
class DenseUnit(Unit):
    """1x1 to `hidden_channels`, 3x3 to `growth`, each after batch norm and ReLU; joined to the input."""

    kind: ClassVar[str] = "dense"
    in_channels: int
    hidden_channels: int
    growth: int

    @property
    def out_channels(self) -> int:
        return self.in_channels + self.growth

    @property
    def layers(self) -> int:
        return 2

    @property
    def label(self) -> str:
        return f"dense 3x3 {self.in_channels}>{self.hidden_channels}>+{self.growth}"

    def lower(self, builder: GraphBuilder, x: str) -> str:
        y = builder.conv(_norm_relu(builder, x), self.hidden_channels, 1)
        y = builder.conv(_norm_relu(builder, y), self.growth, 3)
        return builder.concat([x, y])


@dataclass(frozen=True, slots=True)
class DenseTransitionUnit(Unit):
    """Batch norm, ReLU, 1x1 convolution, 2x2 average pool."""

    kind: ClassVar[str] = "dense_transition"
    in_channels: int
    out_channels: int

    @property
    def total_stride(self) -> int:
        return 2

    @property
    def layers(self) -> int:
        return 1

    @property
    def label(self) -> str:
        return f"dense transition {self.in_channels}>{self.out_channels} /2"

    def lower(self, builder: GraphBuilder, x: str) -> str:
        y = builder.conv(_norm_relu(builder, x), self.out_channels, 1)
        return builder.pool(y, "average", kernel=2, stride=2)


@dataclass(frozen=True, slots=True)
class NormUnit(Unit):
    """Batch norm and ReLU: what ends the last dense block."""

    kind: ClassVar[str] = "norm"
    in_channels: int

    @property
    def out_channels(self) -> int:
        return self.in_channels

    @property
    def label(self) -> str:
        return f"norm {self.in_channels}"

    def lower(self, builder: GraphBuilder, x: str) -> str:
        return _norm_relu(builder, x)


def _norm_relu(builder: GraphBuilder, x: str) -> str:
    return builder.activation(builder.batch_norm(x), "relu")
