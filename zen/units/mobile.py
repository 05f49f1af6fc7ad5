"""The inverted residual unit of the MobileNet line.

Source: MobileNetV2 (arXiv 1801.04381, table 1), MnasNet (arXiv 1807.11626, figure 7) and MobileNetV3
(arXiv 1905.02244, section 5) for the gate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ..graph import PlainFunction
from ..graph_builder import GraphBuilder
from .base import Unit
from .gates import squeeze_excite


@dataclass(frozen=True, slots=True)
class InvertedUnit(Unit):
    """1x1 to `hidden_channels`, depthwise, 1x1 without activation; the first only where it widens.

    The input is added where stride and width allow it. A gate with `squeezed_channels` (0: none) follows
    the depthwise convolution; `inner` is the activation inside it.
    """

    kind: ClassVar[str] = "inverted"
    kernel: int
    in_channels: int
    hidden_channels: int
    out_channels: int
    stride: int
    activation: PlainFunction
    squeezed_channels: int = 0
    inner: PlainFunction = "relu"
    gate: Literal["sigmoid", "hard-sigmoid"] = "sigmoid"

    @property
    def total_stride(self) -> int:
        return self.stride

    @property
    def expands(self) -> bool:
        return self.hidden_channels != self.in_channels

    @property
    def layers(self) -> int:
        return 3 if self.expands else 2

    @property
    def label(self) -> str:
        widths = f"{self.in_channels}>{self.hidden_channels}>{self.out_channels}"
        extras = f" {self.activation}" + " se" * (self.squeezed_channels > 0)
        return f"inverted {self.kernel}x{self.kernel} {widths} /{self.stride}{extras}"

    def lower(self, builder: GraphBuilder, x: str) -> str:
        hidden, y = self.hidden_channels, x
        if self.expands:
            y = builder.activation(builder.batch_norm(builder.conv(y, hidden, 1)), self.activation)
        y = builder.batch_norm(builder.conv(y, hidden, self.kernel, self.stride, hidden))
        y = builder.activation(y, self.activation)
        if self.squeezed_channels:
            y = squeeze_excite(builder, y, self.squeezed_channels, self.inner, self.gate)
        y = builder.batch_norm(builder.conv(y, self.out_channels, 1))
        shortcut = self.stride == 1 and self.in_channels == self.out_channels
        return builder.add(y, x) if shortcut else y
