"""MnasNet-1.0: the searched network without squeeze-and-excite, MnasNet-B1."""

from __future__ import annotations

from ..network import Network
from ..units.plain import ConvUnit
from .stages import Stage, inverted_units

SOURCE = "MnasNet (arXiv 1807.11626, MnasNet-B1); table from tensorflow/tpu mnasnet"

_STAGES = (
    Stage(1, 3, 16, 1, 1),
    Stage(3, 3, 24, 3, 2),
    Stage(3, 5, 40, 3, 2),
    Stage(6, 5, 80, 3, 2),
    Stage(6, 3, 96, 2, 1),
    Stage(6, 5, 192, 4, 2),
    Stage(6, 3, 320, 1, 1),
)


def names() -> tuple[str, ...]:
    return ("mnasnet-1.0",)


def build(name: str) -> Network:
    units = (ConvUnit(3, 3, 32, 2), *inverted_units(32, _STAGES, "relu"), ConvUnit(1, 320, 1280, 1))
    return Network(units, name=f"zoo:{name}")
