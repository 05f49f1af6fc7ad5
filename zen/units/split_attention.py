"""The residual unit of ResNeSt, whose parts of the channels compete for attention.

Source: ResNeSt (arXiv 2004.08955, section 3 and appendix), cardinality 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...errors import NetworkError
from ..graph_builder import GraphBuilder
from .base import Unit

RADIX = 2
_REDUCTION = 4
_LEAST_INNER = 32


@dataclass(frozen=True, slots=True)
class SplitAttentionUnit(Unit):
    """1x1, 3x3 split attention, 1x1; a stride averages: 3x3 on the path, 2x2 before a shortcut's 1x1.

    The 3x3 convolution makes RADIX grouped copies of `hidden_channels`; a softmax across the copies,
    read from their pooled sum, weighs each channel. The original's pool on the path counts zero padding,
    this one does not: they differ in the first row and column.
    """

    kind: ClassVar[str] = "split_attention"
    in_channels: int
    hidden_channels: int
    out_channels: int
    stride: int
    projection: bool

    @property
    def total_stride(self) -> int:
        return self.stride

    @property
    def layers(self) -> int:
        return 3

    @property
    def label(self) -> str:
        widths = f"{self.in_channels}>{self.hidden_channels}>{self.out_channels}"
        return f"split attention 3x3 {widths} /{self.stride}" + " projection" * self.projection

    def check(self, size: int | None = None) -> None:
        Unit.check(self)
        if not self.projection and (self.stride > 1 or self.in_channels != self.out_channels):
            raise NetworkError(f"{self}: the shortcut changes its shape and needs projection=1")

    def lower(self, builder: GraphBuilder, x: str) -> str:
        y = builder.activation(builder.batch_norm(builder.conv(x, self.hidden_channels, 1)), "relu")
        y = self._attend(builder, y)
        shortcut = x
        if self.stride > 1:
            y = builder.pool(y, "average", 3, self.stride)
            shortcut = builder.pool(x, "average", self.stride, self.stride)
        y = builder.batch_norm(builder.conv(y, self.out_channels, 1))
        if self.projection:
            shortcut = builder.batch_norm(builder.conv(shortcut, self.out_channels, 1))
        return builder.activation(builder.add(y, shortcut), "relu")

    def _attend(self, builder: GraphBuilder, x: str) -> str:
        hidden = self.hidden_channels
        copies = builder.batch_norm(builder.conv(x, RADIX * hidden, 3, groups=RADIX))
        copies = builder.activation(copies, "relu")
        parts = [builder.slice(copies, hidden * index, hidden) for index in range(RADIX)]
        pooled = builder.global_average_pool(builder.sum(parts))
        inner = max(RADIX * hidden // _REDUCTION, _LEAST_INNER)
        shares = builder.batch_norm(builder.conv(pooled, inner, 1, bias=True))
        shares = builder.conv(builder.activation(shares, "relu"), RADIX * hidden, 1, bias=True)
        shares = builder.group_softmax(shares, RADIX)
        gates = [builder.slice(shares, hidden * index, hidden) for index in range(RADIX)]
        return builder.sum([builder.multiply(*pair) for pair in zip(parts, gates, strict=True)])
