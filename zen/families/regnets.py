"""RegNetY-200MF to -800MF: widths and depths that their quantised linear rule gives."""

from __future__ import annotations

from collections.abc import Iterator

from ..network import Network
from ..units.base import Unit
from ..units.plain import ConvUnit
from ..units.resnet import ResNetUnit

SOURCE = "RegNet (arXiv 2003.13678, figure 16)"

_WIDTHS_DEPTHS_GROUP = {
    "regnety-200mf": ((24, 56, 152, 368), (1, 1, 4, 7), 8),
    "regnety-400mf": ((48, 104, 208, 440), (1, 3, 6, 6), 8),
    "regnety-600mf": ((48, 112, 256, 608), (1, 3, 7, 4), 16),
    "regnety-800mf": ((64, 128, 320, 768), (1, 3, 8, 2), 16),
}
_STEM = 32
_SQUEEZED_SHARE = 0.25


def names() -> tuple[str, ...]:
    return tuple(_WIDTHS_DEPTHS_GROUP)


def build(name: str) -> Network:
    units = (ConvUnit(3, 3, _STEM, 2), *_stages(*_WIDTHS_DEPTHS_GROUP[name]))
    return Network(units, name=f"zoo:{name}")


def _stages(widths: tuple[int, ...], depths: tuple[int, ...], group_width: int) -> Iterator[Unit]:
    in_channels = _STEM
    for width, depth in zip(widths, depths, strict=True):
        for repeat in range(depth):
            first = repeat == 0
            yield ResNetUnit(
                "bottleneck",
                in_channels,
                width,
                width,
                stride=2 if first else 1,
                projection=first,
                groups=width // group_width,
                squeezed_channels=round(_SQUEEZED_SHARE * in_channels),
            )
            in_channels = width
