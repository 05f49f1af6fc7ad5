"""DenseNet-121 to DenseNet-201, with bottlenecks and compression."""

from __future__ import annotations

from collections.abc import Iterator

from ..network import Network
from ..units.base import Unit
from ..units.dense import DenseTransitionUnit, DenseUnit, NormUnit
from ..units.plain import ConvUnit
from ..units.pools import MaxPoolUnit

SOURCE = "DenseNet (arXiv 1608.06993, table 1)"

_GROWTHS_AND_DEPTHS = {
    "densenet-121": (32, (6, 12, 24, 16)),
    "densenet-161": (48, (6, 12, 36, 24)),
    "densenet-169": (32, (6, 12, 32, 32)),
    "densenet-201": (32, (6, 12, 48, 32)),
}


def names() -> tuple[str, ...]:
    return tuple(_GROWTHS_AND_DEPTHS)


def build(name: str) -> Network:
    return Network(tuple(_units(*_GROWTHS_AND_DEPTHS[name])), name=f"zoo:{name}")


def _units(growth: int, depths: tuple[int, ...]) -> Iterator[Unit]:
    channels = 2 * growth
    yield ConvUnit(7, 3, channels, 2)
    yield MaxPoolUnit(3, channels, 2)
    for stage, depth in enumerate(depths):
        if stage > 0:
            yield DenseTransitionUnit(channels, channels // 2)
            channels //= 2
        for _ in range(depth):
            yield DenseUnit(channels, 4 * growth, growth)
            channels += growth
    yield NormUnit(channels)
