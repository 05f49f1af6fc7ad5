"""EfficientNet-B0 to -B7, each at its own resolution."""

from __future__ import annotations

from math import ceil

from ..network import Network
from ..units.plain import ConvUnit
from .stages import Stage, divisible_by_8, inverted_units

SOURCE = "EfficientNet (arXiv 1905.11946, table 1); coefficients from tensorflow/tpu efficientnet"

_WIDTH_DEPTH_RESOLUTION = {
    "efficientnet-b0": (1.0, 1.0, 224),
    "efficientnet-b1": (1.0, 1.1, 240),
    "efficientnet-b2": (1.1, 1.2, 260),
    "efficientnet-b3": (1.2, 1.4, 300),
    "efficientnet-b4": (1.4, 1.8, 380),
    "efficientnet-b5": (1.6, 2.2, 456),
    "efficientnet-b6": (1.8, 2.6, 528),
    "efficientnet-b7": (2.0, 3.1, 600),
}
_STAGES = (
    Stage(1, 3, 16, 1, 1),
    Stage(6, 3, 24, 2, 2),
    Stage(6, 5, 40, 2, 2),
    Stage(6, 3, 80, 3, 2),
    Stage(6, 5, 112, 3, 1),
    Stage(6, 5, 192, 4, 2),
    Stage(6, 3, 320, 1, 1),
)


def names() -> tuple[str, ...]:
    return tuple(_WIDTH_DEPTH_RESOLUTION)


def build(name: str) -> Network:
    width, depth, resolution = _WIDTH_DEPTH_RESOLUTION[name]
    stages = [
        stage._replace(
            out_channels=divisible_by_8(width * stage.out_channels), repeats=ceil(depth * stage.repeats)
        )
        for stage in _STAGES
    ]
    stem = divisible_by_8(width * 32)
    units = (
        ConvUnit(3, 3, stem, 2, "swish"),
        *inverted_units(stem, stages, "swish", gated=True),
        ConvUnit(1, stages[-1].out_channels, divisible_by_8(width * 1280), 1, "swish"),
    )
    return Network(units, resolution, name=f"zoo:{name}")
