"""The standard residual unit.

Source: ResNet (arXiv 1512.03385, section 3.3 and figure 5), the stride in the 3x3 convolution;
RegNet (arXiv 2003.13678, sections 3.2 and 4) for groups and the gate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ...errors import NetworkError
from ..graph_builder import GraphBuilder
from .base import Unit
from .gates import squeeze_excite


@dataclass(frozen=True, slots=True)
class ResNetUnit(Unit):
    """Convolutions around which the input goes unchanged or, with `projection`, through a 1x1 one.

    basic: 3x3, 3x3. bottleneck: 1x1, 3x3 in `groups`, 1x1. The first 3x3 has the stride; a gate with
    `squeezed_channels` (0: none) follows it. No convolution on the path or beside it has a bias.
    """

    kind: ClassVar[str] = "resnet"
    style: Literal["basic", "bottleneck"]
    in_channels: int
    hidden_channels: int
    out_channels: int
    stride: int
    projection: bool
    groups: int = 1
    squeezed_channels: int = 0

    @property
    def total_stride(self) -> int:
        return self.stride

    @property
    def layers(self) -> int:
        return 2 if self.style == "basic" else 3

    @property
    def family(self) -> str:
        return f"{self.kind} {self.style}"

    @property
    def label(self) -> str:
        widths = f"{self.in_channels}>{self.hidden_channels}>{self.out_channels}"
        groups = f" groups {self.groups}" if self.groups > 1 else ""
        extras = " projection" * self.projection + " se" * (self.squeezed_channels > 0)
        return f"{self.style} 3x3 {widths} /{self.stride}{groups}{extras}"

    def check(self, size: int | None = None) -> None:
        Unit.check(self)
        if self.hidden_channels % self.groups or (self.style == "basic" and self.groups > 1):
            raise NetworkError(f"{self}: groups must divide hidden_channels and belong to a bottleneck")
        if not self.projection and (self.stride > 1 or self.in_channels != self.out_channels):
            raise NetworkError(f"{self}: the shortcut changes its shape and needs projection=1")

    def lower(self, builder: GraphBuilder, x: str) -> str:
        hidden, y, stride = self.hidden_channels, x, self.stride
        if self.style == "bottleneck":
            y = builder.activation(builder.batch_norm(builder.conv(x, hidden, 1)), "relu")
        y = builder.conv(y, hidden, 3, stride, self.groups)
        y = builder.activation(builder.batch_norm(y), "relu")
        if self.squeezed_channels:
            y = squeeze_excite(builder, y, self.squeezed_channels, "relu", "sigmoid")
        last_kernel = 3 if self.style == "basic" else 1
        y = builder.batch_norm(builder.conv(y, self.out_channels, last_kernel))
        shortcut = x
        if self.projection:
            shortcut = builder.batch_norm(builder.conv(x, self.out_channels, 1, stride))
        return builder.activation(builder.add(y, shortcut), "relu")
