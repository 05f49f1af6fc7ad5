"""ResNeSt-50 and ResNeSt-101: a stem of three convolutions, radix 2, one cardinal group."""

from __future__ import annotations

from collections.abc import Iterator

from ..network import Network
from ..units.base import Unit
from ..units.plain import ConvUnit
from ..units.pools import MaxPoolUnit
from ..units.split_attention import SplitAttentionUnit

SOURCE = "ResNeSt (arXiv 2004.08955, sections 3 and 4); stem widths from zhanghang1989/ResNeSt"

_STEMS_AND_DEPTHS = {
    "resnest-50": (32, (3, 4, 6, 3)),
    "resnest-101": (64, (3, 4, 23, 3)),
}


def names() -> tuple[str, ...]:
    return tuple(_STEMS_AND_DEPTHS)


def build(name: str) -> Network:
    return Network(tuple(_units(*_STEMS_AND_DEPTHS[name])), name=f"zoo:{name}")


def _units(stem: int, depths: tuple[int, ...]) -> Iterator[Unit]:
    in_channels = 2 * stem
    yield ConvUnit(3, 3, stem, 2)
    yield ConvUnit(3, stem, stem, 1)
    yield ConvUnit(3, stem, in_channels, 1)
    yield MaxPoolUnit(3, in_channels, 2)
    for stage, depth in enumerate(depths):
        hidden = 64 * 2**stage
        for repeat in range(depth):
            stride = 2 if stage > 0 and repeat == 0 else 1
            yield SplitAttentionUnit(in_channels, hidden, 4 * hidden, stride, projection=repeat == 0)
            in_channels = 4 * hidden
