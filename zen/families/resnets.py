"""ResNet-18 to ResNet-152, the stride of a bottleneck in its 3x3 convolution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from ..network import Network
from ..units.base import Unit
from ..units.plain import ConvUnit
from ..units.pools import MaxPoolUnit
from ..units.resnet import ResNetUnit

SOURCE = "ResNet (arXiv 1512.03385, table 1)"

_DEPTHS = {
    "resnet-18": (2, 2, 2, 2),
    "resnet-34": (3, 4, 6, 3),
    "resnet-50": (3, 4, 6, 3),
    "resnet-101": (3, 4, 23, 3),
    "resnet-152": (3, 8, 36, 3),
}
_BASIC = ("resnet-18", "resnet-34")


def names() -> tuple[str, ...]:
    return tuple(_DEPTHS)


def build(name: str) -> Network:
    stem = (ConvUnit(7, 3, 64, 2), MaxPoolUnit(3, 64, 2))
    return Network((*stem, *_stages(name in _BASIC, _DEPTHS[name])), name=f"zoo:{name}")


def _stages(basic: bool, depths: tuple[int, ...]) -> Iterator[Unit]:
    in_channels = 64
    style: Literal["basic", "bottleneck"] = "basic" if basic else "bottleneck"
    for stage, depth in enumerate(depths):
        hidden = 64 * 2**stage
        out_channels = hidden if basic else 4 * hidden
        for repeat in range(depth):
            stride = 2 if stage > 0 and repeat == 0 else 1
            projection = stride > 1 or in_channels != out_channels
            yield ResNetUnit(style, in_channels, hidden, out_channels, stride, projection)
            in_channels = out_channels
