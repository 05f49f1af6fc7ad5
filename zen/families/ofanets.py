"""OFANet-595M: a subnetwork of Once-for-All's MobileNetV3 of width 1.2, at resolution 236."""

from __future__ import annotations

from collections.abc import Iterator

from ..network import Network
from ..units.base import Unit
from ..units.mobile import InvertedUnit
from ..units.plain import ConvUnit
from ..units.pools import PooledConvUnit
from .stages import divisible_by_8

SOURCE = (
    "Once-for-All (arXiv 1908.09791); layers from its flops@595M_top1@80.0_finetune@75, "
    "as kept in Alibaba-MIIL/ImageNet21K"
)

_STEM, _LAST, _POOLED = 24, 1152, 1536
_GATED_STAGES = (1, 3, 4)
_HARD_SWISH_STAGES = (2, 3, 4)
_WIDTH_STRIDE_UNITS = (
    # Kernel and expansion of each unit; the stages before and after have none to choose.
    (32, 2, ((3, 3), (5, 4), (3, 3))),
    (48, 2, ((5, 4), (5, 4), (3, 6), (5, 3))),
    (96, 2, ((7, 6), (5, 6), (3, 3), (5, 4))),
    (136, 1, ((3, 6), (5, 6), (7, 6), (3, 4))),
    (192, 2, ((3, 6), (3, 6), (5, 6), (3, 3))),
)


def names() -> tuple[str, ...]:
    return ("ofanet-595m",)


def build(name: str) -> Network:
    units = (
        ConvUnit(3, 3, _STEM, 2, "hard-swish"),
        InvertedUnit(3, _STEM, _STEM, _STEM, 1, "relu"),
        *_stages(),
        ConvUnit(1, _WIDTH_STRIDE_UNITS[-1][0], _LAST, 1, "hard-swish"),
        PooledConvUnit(_LAST, _POOLED, "hard-swish"),
    )
    return Network(units, resolution=236, name=f"zoo:{name}")


def _stages() -> Iterator[Unit]:
    in_channels = _STEM
    for stage, (width, stride, units) in enumerate(_WIDTH_STRIDE_UNITS):
        for index, (kernel, expansion) in enumerate(units):
            hidden = expansion * in_channels
            yield InvertedUnit(
                kernel,
                in_channels,
                hidden,
                width,
                stride if index == 0 else 1,
                "hard-swish" if stage in _HARD_SWISH_STAGES else "relu",
                squeezed_channels=divisible_by_8(hidden / 4) if stage in _GATED_STAGES else 0,
                gate="hard-sigmoid" if stage in _GATED_STAGES else "sigmoid",
            )
            in_channels = width
