"""How the machine itself changed over a profile: its reference workload and its temperature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import ceil
from pathlib import Path
from statistics import median, quantiles

from ...errors import TableError
from .journal import read
from .measurement import Measurement

MOST_MOMENTS = 150
"""Rounds are gathered into so many moments at most, so that a long profile stays a readable line."""
PAUSE_MINUTES = 2.0
"""A longer gap between two rounds is a pause, and takes no room on the axis."""


@dataclass(frozen=True)
class Moment:
    """Some rounds one after the other. `drift`: median time of the reference over that of the whole profile,
    `low` and `high` its outer deciles; `celsius`: the hottest reading."""

    minutes: float
    rounds: int
    drift: float
    low: float
    high: float
    celsius: float | None


@dataclass(frozen=True)
class Drift:
    """A profile's moments. `minutes` count measuring time; `pauses`: the minutes at which it stood still."""

    table: str
    rounds: int
    throttled: int
    moments: tuple[Moment, ...]
    pauses: tuple[float, ...]


def read_drift(journal: Path, table: str) -> Drift | None:
    """The drift over a journal; None where no reference ran in it. Raises TableError where it is damaged."""
    measurements = read(journal).measurements
    timed = [one for one in measurements if one.timing is not None and one.timing.reference_ms is not None]
    if not timed:
        return None
    whole_ms = median(one.timing.reference_ms for one in timed if one.timing and one.timing.reference_ms)
    try:
        minutes, pauses = _measuring_minutes(timed)
    except (ValueError, TypeError):  # a TypeError where one time has a time zone and another has none
        raise TableError(f"journal {journal} holds a time that is none") from None
    size = ceil(len(timed) / MOST_MOMENTS)
    moments = tuple(
        _moment(timed[start : start + size], minutes[start : start + size], whole_ms)
        for start in range(0, len(timed), size)
    )
    return Drift(table, len(timed), sum(one.throttled for one in timed), moments, tuple(pauses))


def _measuring_minutes(rounds: Sequence[Measurement]) -> tuple[list[float], list[float]]:
    """When each round was, pauses left out, and where they were."""
    times = [datetime.fromisoformat(one.time) for one in rounds]
    minutes, pauses = [0.0], []
    for before, now in pairwise(times):
        gap = (now - before).total_seconds() / 60
        if not 0 <= gap <= PAUSE_MINUTES:
            pauses.append(minutes[-1])
            gap = 0.0
        minutes.append(minutes[-1] + gap)
    return minutes, pauses


def _moment(rounds: Sequence[Measurement], minutes: Sequence[float], whole_ms: float) -> Moment:
    drifts = [one.timing.reference_ms / whole_ms for one in rounds if one.timing and one.timing.reference_ms]
    readings = [state.temperature_celsius for one in rounds for state in (one.before, one.after)]
    celsius = [reading for reading in readings if reading is not None]
    # One round has no deciles, and two have them at their ends.
    deciles = quantiles(drifts, n=10, method="inclusive") if len(drifts) > 1 else drifts
    return Moment(
        minutes=median(minutes),
        rounds=len(rounds),
        drift=median(drifts),
        low=deciles[0],
        high=deciles[-1],
        celsius=max(celsius, default=None),
    )
