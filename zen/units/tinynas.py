"""The residual units of TinyNAS.

Source: alibaba/lightweight-neural-architecture-search at 8ccaf88, the blocks of `tinynas/deploy/cnnnet`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ...errors import NetworkError
from ..graph import PlainFunction
from ..graph_builder import GraphBuilder
from .base import Unit

TinyNasStyle = Literal["kxkx", "k1kx", "k1kxk1", "k1dwk1"]
TinyNasShortcut = Literal["none", "identity", "projection"]


@dataclass(frozen=True, slots=True)
class TinyNasUnit(Unit):
    """Two or three convolutions, a shortcut around them where there is one, an activation after the sum.

    kxkx: k x k, k x k. k1kx: 1x1, k x k. k1kxk1: 1x1, k x k, 1x1. k1dwk1: 1x1, depthwise k x k, 1x1. The last
    k x k has the stride, and the shortcut averages as many places before its 1x1 projection. A gate with
    `squeezed_channels` (0: none) follows a k x k that is not the last convolution; its two convolutions have
    batch norms and no bias.
    """

    kind: ClassVar[str] = "tinynas"
    style: TinyNasStyle
    kernel: int
    in_channels: int
    hidden_channels: int
    out_channels: int
    stride: int
    shortcut: TinyNasShortcut
    activation: PlainFunction = "relu"
    squeezed_channels: int = 0

    @property
    def total_stride(self) -> int:
        return self.stride

    @property
    def layers(self) -> int:
        return 3 if self._ends_in_1x1 else 2

    @property
    def family(self) -> str:
        return f"{self.kind} {self.style}"

    @property
    def label(self) -> str:
        widths = f"{self.in_channels}>{self.hidden_channels}>{self.out_channels}"
        extras = "" if self.shortcut == "identity" else f" {self.shortcut}"
        return f"{self.style} {self.kernel}x{self.kernel} {widths} /{self.stride}{extras}" + " se" * (
            self.squeezed_channels > 0
        )

    def check(self, size: int | None = None) -> None:
        Unit.check(self)
        if self.shortcut == "identity" and self.in_channels != self.out_channels:
            raise NetworkError(f"{self}: the shortcut changes its width and needs shortcut=projection")
        if self.squeezed_channels and not self._ends_in_1x1:
            raise NetworkError(f"{self}: a gate needs a 1x1 convolution behind it, as k1dwk1 has")

    def lower(self, builder: GraphBuilder, x: str) -> str:
        hidden, out, stride = self.hidden_channels, self.out_channels, self.stride
        y = self._activated(builder, builder.conv(x, hidden, self.kernel if self.style == "kxkx" else 1))
        if self._ends_in_1x1:
            groups = hidden if self.style == "k1dwk1" else 1
            y = self._activated(builder, builder.conv(y, hidden, self.kernel, stride, groups))
            if self.squeezed_channels:
                y = self._gated(builder, y)
            y = builder.conv(y, out, 1)
        else:
            y = builder.conv(y, out, self.kernel, stride)
        y = builder.batch_norm(y)
        if self.shortcut != "none":
            shortcut = builder.pool(x, "average", stride, stride) if stride > 1 else x
            if self.shortcut == "projection":
                shortcut = builder.batch_norm(builder.conv(shortcut, out, 1))
            y = builder.add(y, shortcut)
        return builder.activation(y, self.activation)

    @property
    def _ends_in_1x1(self) -> bool:
        return self.style in ("k1kxk1", "k1dwk1")

    def _activated(self, builder: GraphBuilder, y: str) -> str:
        return builder.activation(builder.batch_norm(y), self.activation)

    def _gated(self, builder: GraphBuilder, x: str) -> str:
        y = builder.batch_norm(builder.conv(builder.global_average_pool(x), self.squeezed_channels, 1))
        y = builder.batch_norm(builder.conv(builder.activation(y, "swish"), self.hidden_channels, 1))
        return builder.multiply(x, builder.activation(y, "sigmoid"))
