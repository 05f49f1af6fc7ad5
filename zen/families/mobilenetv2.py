"""MobileNetV2 at seven widths; below 1.0 the last convolution keeps its 1280 channels."""

from __future__ import annotations

from ..network import Network
from ..units.plain import ConvUnit
from .stages import Stage, divisible_by_8, inverted_units

SOURCE = "MobileNetV2 (arXiv 1801.04381, table 2); rounding of widths from tensorflow/models slim"

_WIDTHS = ("0.25", "0.35", "0.5", "0.75", "1.0", "1.3", "1.4")
_PREFIX = "mobilenetv2-"
_STAGES = (
    Stage(1, 3, 16, 1, 1),
    Stage(6, 3, 24, 2, 2),
    Stage(6, 3, 32, 3, 2),
    Stage(6, 3, 64, 4, 2),
    Stage(6, 3, 96, 3, 1),
    Stage(6, 3, 160, 3, 2),
    Stage(6, 3, 320, 1, 1),
)


def names() -> tuple[str, ...]:
    return tuple(_PREFIX + width for width in _WIDTHS)


def build(name: str) -> Network:
    width = float(name.removeprefix(_PREFIX))
    stages = [stage._replace(out_channels=divisible_by_8(width * stage.out_channels)) for stage in _STAGES]
    stem = divisible_by_8(width * 32)
    units = (
        ConvUnit(3, 3, stem, 2, "relu6"),
        *inverted_units(stem, stages, "relu6"),
        ConvUnit(1, stages[-1].out_channels, divisible_by_8(max(1.0, width) * 1280), 1, "relu6"),
    )
    return Network(units, name=f"zoo:{name}")
