"""DisturbanceDetector: how fast the reference workload runs undisturbed, and which rounds were slower."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from statistics import quantiles

from .measurement import Measurement

RECENT = 500
"""Readings that tell the pace while measuring: a machine slower for good has a new one soon."""
_FEWEST = 12
_TOLERANCE = 0.08
_SPREADS = 5


class DisturbanceDetector:
    """Learned from the reference's reading in each round.

    Other programs, and the guests beside a virtual machine, slow a network down by another factor than the
    reference, by up to a third either way: dividing that out is not enough, such rounds are taken again. The
    quiet pace is the fastest decile of readings. A round is disturbed where its reading is slower by 8 %, or
    by five times the distance between the decile and the quartile where that is more: some devices vary by
    as much of themselves.
    """

    def __init__(self, measurements: Iterable[Measurement], last: int | None = None) -> None:
        """From the `last` readings, of those in `measurements` and those seen later; None for all."""
        self._readings: deque[float] = deque(maxlen=last)
        self._limit_ms: float | None = None
        for measurement in measurements:
            self._add(measurement)
        self._update()

    def disturbed(self, measurement: Measurement) -> bool:
        """Whether a round was; one that has no reference was not."""
        reference_ms = None if measurement.timing is None else measurement.timing.reference_ms
        return reference_ms is not None and self._limit_ms is not None and reference_ms > self._limit_ms

    def see(self, measurement: Measurement) -> None:
        self._add(measurement)
        self._update()

    def _add(self, measurement: Measurement) -> None:
        if measurement.timing is not None and measurement.timing.reference_ms is not None:
            self._readings.append(measurement.timing.reference_ms)

    def _update(self) -> None:
        if len(self._readings) >= _FEWEST:
            places = quantiles(self._readings, n=20, method="inclusive")
            decile, quartile = places[1], places[4]
            self._limit_ms = decile + max(_TOLERANCE * decile, _SPREADS * (quartile - decile))
