"""DNANet-a to DNANet-d: stages of EfficientNet's units, found block by block."""

from __future__ import annotations

from ..network import Network
from ..units.plain import ConvUnit
from .stages import Stage, inverted_units

SOURCE = "DNA (arXiv 1911.13053); layers from changlin31/DNA"

_STEM, _LAST = 32, 1280
_STAGES = {
    "dnanet-a": (
        Stage(1, 3, 16, 1, 1),
        Stage(3, 5, 24, 1, 2),
        Stage(3, 3, 24, 1, 1),
        Stage(6, 3, 24, 1, 1),
        Stage(3, 3, 40, 2, 2),
        Stage(3, 5, 40, 1, 1),
        Stage(6, 3, 40, 1, 1),
        Stage(6, 7, 80, 1, 2),
        Stage(3, 3, 80, 1, 1),
        Stage(3, 5, 80, 1, 1),
        Stage(6, 3, 80, 1, 1),
        Stage(6, 5, 96, 1, 1),
        Stage(3, 5, 96, 2, 1),
        Stage(6, 5, 96, 1, 1),
        Stage(6, 5, 160, 1, 2),
        Stage(3, 5, 160, 3, 1),
        Stage(6, 5, 160, 1, 1),
        Stage(6, 3, 320, 1, 1),
    ),
    "dnanet-b": (
        Stage(1, 3, 16, 1, 1),
        Stage(3, 3, 24, 1, 2),
        Stage(3, 5, 24, 1, 1),
        Stage(6, 7, 24, 1, 1),
        Stage(6, 7, 40, 1, 2),
        Stage(3, 5, 40, 1, 1),
        Stage(6, 7, 40, 1, 1),
        Stage(6, 5, 80, 1, 2),
        Stage(3, 5, 80, 2, 1),
        Stage(6, 3, 80, 1, 1),
        Stage(6, 5, 96, 1, 1),
        Stage(3, 5, 96, 2, 1),
        Stage(6, 5, 96, 1, 1),
        Stage(6, 7, 192, 1, 2),
        Stage(3, 5, 192, 3, 1),
        Stage(6, 7, 192, 1, 1),
        Stage(6, 3, 320, 1, 1),
    ),
    "dnanet-c": (
        Stage(1, 3, 16, 1, 1),
        Stage(6, 5, 24, 1, 2),
        Stage(6, 3, 24, 1, 1),
        Stage(6, 5, 40, 2, 2),
        Stage(6, 3, 40, 1, 1),
        Stage(6, 5, 40, 1, 1),
        Stage(6, 5, 80, 1, 2),
        Stage(6, 3, 80, 1, 1),
        Stage(6, 5, 80, 2, 1),
        Stage(6, 3, 112, 1, 1),
        Stage(6, 5, 112, 2, 1),
        Stage(3, 5, 112, 1, 1),
        Stage(6, 5, 192, 1, 2),
        Stage(3, 5, 192, 1, 1),
        Stage(6, 5, 192, 2, 1),
        Stage(6, 3, 320, 1, 1),
    ),
    "dnanet-d": (
        Stage(1, 3, 16, 1, 1),
        Stage(6, 7, 24, 1, 2),
        Stage(6, 5, 24, 1, 1),
        Stage(6, 7, 24, 1, 1),
        Stage(6, 7, 40, 4, 2),
        Stage(6, 7, 80, 1, 2),
        Stage(6, 5, 80, 2, 1),
        Stage(6, 7, 80, 1, 1),
        Stage(6, 7, 112, 1, 1),
        Stage(6, 5, 112, 1, 1),
        Stage(6, 7, 112, 1, 1),
        Stage(6, 5, 112, 1, 1),
        Stage(6, 7, 192, 1, 2),
        Stage(6, 5, 192, 3, 1),
        Stage(6, 7, 192, 1, 1),
        Stage(6, 3, 320, 1, 1),
    ),
}


def names() -> tuple[str, ...]:
    return tuple(_STAGES)


def build(name: str) -> Network:
    stages = _STAGES[name]
    units = (
        ConvUnit(3, 3, _STEM, 2, "swish"),
        *inverted_units(_STEM, stages, "swish", gated=True),
        ConvUnit(1, stages[-1].out_channels, _LAST, 1, "swish"),
    )
    return Network(units, name=f"zoo:{name}")
