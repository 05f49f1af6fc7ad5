"""Stages of inverted residual units, from the tables of the MobileNet line's papers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..graph import PlainFunction
from ..units.mobile import InvertedUnit

_SQUEEZED_SHARE = 0.25


class Stage(NamedTuple):
    """One row: `repeats` units, the first with the stride, hidden width `expansion` times the input's."""

    expansion: int
    kernel: int
    out_channels: int
    repeats: int
    stride: int


def inverted_units(
    in_channels: int, stages: Iterable[Stage], activation: PlainFunction, gated: bool = False
) -> Iterator[InvertedUnit]:
    """The units of the stages; a gate squeezes to a quarter of its unit's input and activates likewise."""
    for stage in stages:
        for repeat in range(stage.repeats):
            yield InvertedUnit(
                stage.kernel,
                in_channels,
                in_channels * stage.expansion,
                stage.out_channels,
                stage.stride if repeat == 0 else 1,
                activation,
                squeezed_channels=int(_SQUEEZED_SHARE * in_channels) if gated else 0,
                inner=activation if gated else "relu",
            )
            in_channels = stage.out_channels


def divisible_by_8(width: float) -> int:
    """The multiple of 8 nearest to a width, the next one where that takes more than a tenth away.

    Source: MobileNetV2's authors' code, tensorflow/models; EfficientNet rounds likewise.
    """
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * width else rounded + 8
