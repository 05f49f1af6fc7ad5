"""OFANet-595M: a subnetwork of Once-for-All's MobileNetV3 of width 1.2, at resolution 236."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..network import IMAGE_CHANNELS, Network
from ..units.base import Unit
from ..units.mobile import InvertedUnit
from ..units.plain import ConvUnit
from ..units.pools import PooledConvUnit
from .stages import divisible_by_8

SOURCE = (
    "Once-for-All (arXiv 1908.09791); layers from its flops@595M_top1@80.0_finetune@75, "
    "as kept in Alibaba-MIIL/ImageNet21K"
)

_STEM, _LAST, _POOLED = 16, 960, 1280
_WIDTHS = (24, 40, 80, 112, 160)
_STRIDES = (2, 2, 2, 1, 2)
_GATED_STAGES = (1, 3, 4)
_HARD_SWISH_STAGES = (2, 3, 4)

StageUnits = Sequence[tuple[int, int]]
"""Kernel and expansion of every unit of a stage."""

STAGES = len(_WIDTHS)

_OFANET_595M: Sequence[StageUnits] = (
    ((3, 3), (5, 4), (3, 3)),
    ((5, 4), (5, 4), (3, 6), (5, 3)),
    ((7, 6), (5, 6), (3, 3), (5, 4)),
    ((3, 6), (5, 6), (7, 6), (3, 4)),
    ((3, 6), (3, 6), (5, 6), (3, 3)),
)


def names() -> tuple[str, ...]:
    return ("ofanet-595m",)


def build(name: str) -> Network:
    return Network(sub_network(_OFANET_595M, 1.2), resolution=236, name=f"zoo:{name}")


def sub_network(stages: Sequence[StageUnits], width: float) -> tuple[Unit, ...]:
    """The units of any sub-network, given its five stages and the width of the network it is part of.

    The stem, the unit behind it and the layers after the stages have nothing to choose.
    """
    stem, last, pooled = (divisible_by_8(channels * width) for channels in (_STEM, _LAST, _POOLED))
    final = divisible_by_8(_WIDTHS[-1] * width)
    return (
        ConvUnit(3, IMAGE_CHANNELS, stem, 2, "hard-swish"),
        InvertedUnit(3, stem, stem, stem, 1, "relu"),
        *_units(stages, stem, width),
        ConvUnit(1, final, last, 1, "hard-swish"),
        PooledConvUnit(last, pooled, "hard-swish"),
    )


def _units(stages: Sequence[StageUnits], in_channels: int, width: float) -> Iterator[Unit]:
    for stage, units in enumerate(stages):
        out_channels = divisible_by_8(_WIDTHS[stage] * width)
        for index, (kernel, expansion) in enumerate(units):
            hidden = expansion * in_channels
            gated = stage in _GATED_STAGES
            yield InvertedUnit(
                kernel,
                in_channels,
                hidden,
                out_channels,
                _STRIDES[stage] if index == 0 else 1,
                "hard-swish" if stage in _HARD_SWISH_STAGES else "relu",
                squeezed_channels=divisible_by_8(hidden / 4) if gated else 0,
                gate="hard-sigmoid" if gated else "sigmoid",
            )
            in_channels = out_channels
