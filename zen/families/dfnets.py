"""DFNet-1, DFNet-2 and DFNet-2a ("Dongfeng"), stems of two strided convolutions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from ..network import Network
from ..units.base import Unit
from ..units.plain import ConvUnit
from ..units.resnet import ResNetUnit

SOURCE = "Partial Order Pruning (arXiv 1903.03777); layers from lixincn2015/Partial-Order-Pruning"


class _Stage(NamedTuple):
    """`repeats` units, the first with the stride and a projection even where the shape stays."""

    style: Literal["basic", "bottleneck"]
    hidden_channels: int
    out_channels: int
    repeats: int
    stride: int


_STAGES = {
    "dfnet-1": (
        _Stage("basic", 64, 64, 3, 2),
        _Stage("basic", 128, 128, 3, 2),
        _Stage("basic", 256, 256, 3, 2),
        _Stage("basic", 512, 512, 1, 1),
    ),
    "dfnet-2": (
        _Stage("basic", 64, 64, 2, 2),
        _Stage("basic", 128, 128, 1, 1),
        _Stage("basic", 128, 128, 10, 2),
        _Stage("basic", 256, 256, 1, 1),
        _Stage("basic", 256, 256, 4, 2),
        _Stage("basic", 512, 512, 2, 1),
    ),
    "dfnet-2a": (
        _Stage("basic", 64, 64, 2, 2),
        _Stage("basic", 128, 128, 1, 1),
        _Stage("bottleneck", 128, 512, 10, 2),
        _Stage("bottleneck", 256, 1024, 1, 1),
        _Stage("bottleneck", 256, 1024, 4, 2),
        _Stage("bottleneck", 512, 1024, 2, 1),
    ),
}


def names() -> tuple[str, ...]:
    return tuple(_STAGES)


def build(name: str) -> Network:
    stem = (ConvUnit(3, 3, 32, 2), ConvUnit(3, 32, 64, 2))
    return Network((*stem, *_units(_STAGES[name])), name=f"zoo:{name}")


def _units(stages: tuple[_Stage, ...]) -> Iterator[Unit]:
    in_channels = 64
    for style, hidden, out_channels, repeats, first_stride in stages:
        for repeat in range(repeats):
            first = repeat == 0
            stride = first_stride if first else 1
            yield ResNetUnit(style, in_channels, hidden, out_channels, stride, projection=first)
            in_channels = out_channels
