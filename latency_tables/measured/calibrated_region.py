"""CalibratedRegion: how far a network lies from those that a table was calibrated on.

A calibration knows networks like those that it saw. Searched without limits on their shape, networks of 260
to 620 layers (of at most 60 in the tables) were 10 to 38 % off what two tables of a host CPU predicted,
where 7 % were stated. Their distance from the nearest calibrating network was 6 to 10, where it is 1.5 at
most among nine of ten calibrating ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt

import numpy as np

from ..op_features import Vector

OCTAVES = (0.5, 0.7, 1.0)
"""Networks are alike up to such distances, of the number of units, of ms a unit and of weights a ms."""
NEAR = 1.5
STD_PER_DISTANCE = 0.03
"""Relative deviation, for every step that a network lies farther away than NEAR."""
_LEAST = 1e-9

Place = tuple[float, float, float]


def place(ms: float, units: float, weights_mb: float) -> Place:
    """Where a network lies, in steps in which networks are somewhat alike."""
    values = (units, ms / units, weights_mb / ms)
    first, second, third = (
        log(max(value, _LEAST)) / (octaves * log(2)) for value, octaves in zip(values, OCTAVES, strict=True)
    )
    return first, second, third


class CalibratedRegion:
    """The places of the networks that a table was calibrated on."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._distances = SquaredDistances(places)

    def std(self, where: Place) -> float:
        """Relative deviation that the distance of a network adds."""
        away = self._distances.to(where)
        distance = sqrt(max(0.0, float(away.min()))) if len(away) else 0.0
        return STD_PER_DISTANCE * max(0.0, distance - NEAR)


class SquaredDistances:
    """From some places to any other; a search asks for thousands a second, so it takes one product."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places: Vector = np.array(places).reshape(-1, len(OCTAVES))
        self._squares: Vector = np.square(self._places).sum(1)

    def to(self, where: Place) -> Vector:
        x, y, z = where
        found: Vector = self._squares - self._places @ (2 * x, 2 * y, 2 * z)
        found += x * x + y * y + z * z
        return found
