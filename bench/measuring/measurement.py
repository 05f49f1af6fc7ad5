"""Timing and Measurement: what was read, and what it belongs to.

A measurement is one round of one subject: one untimed run to warm its caches, then several timed ones
in a row (blocks timed hot add up to their network within a few per cent; timed cold they are a third
too slow). Rounds of many subjects are interleaved, so that a drift of the machine falls on all alike,
and a reference workload is timed beside every round, so that it can be divided out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import inf
from statistics import median
from typing import Any

from ...devices.base import DeviceState, Sample
from ...errors import TableError
from .samples import Samples


@dataclass(frozen=True, slots=True)
class RunSummary:
    """How single runs lay about their mean, where another tool keeps them to itself and says only this."""

    median_ms: float
    std_ms: float


@dataclass(frozen=True, slots=True)
class Timing:
    """Raw readings in ms: warm-ups apart, and the reference's median in the same round, where one ran.

    `cold_ms`: single runs, each after the caches were flushed. With a `summary` the one sample is the mean
    of all runs.
    """

    warmup_ms: tuple[float, ...]
    samples: Samples
    reference_ms: float | None
    summary: RunSummary | None = None
    cold_ms: tuple[float, ...] = ()

    @property
    def readings(self) -> tuple[float, ...]:
        """Every number of milliseconds in it."""
        reference = () if self.reference_ms is None else (self.reference_ms,)
        return (*self.warmup_ms, *self.samples.ms, *self.cold_ms, *reference)

    @property
    def fastest_ms(self) -> float:
        return min(self.samples.ms)

    @property
    def median_ms(self) -> float:
        return median(self.samples.ms)

    @property
    def runs(self) -> int:
        return self.samples.runs


@dataclass(frozen=True, slots=True)
class Measurement:
    """One round of one subject, or why there is none: exactly one of `timing` and `error` is set.

    `subject` is the key of a workload (in its context, or `alone:` before it), `ends:C@S` of the ends of
    contexts, or `network:DIGEST`; `time` is in UTC, ISO 8601.
    """

    subject: str
    timing: Timing | None
    error: str | None
    before: DeviceState
    after: DeviceState
    time: str
    disturbed: bool = False

    @property
    def good(self) -> bool:
        """Whether nothing speaks against the round."""
        return not self.throttled and not self.disturbed

    @property
    def throttled(self) -> bool:
        """Whether the device said, before or after, that its clocks were held down."""
        return bool(self.before.throttled or self.after.throttled)

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {"subject": self.subject, "time": self.time}
        if self.timing is not None:
            data["timing"] = {
                "warmup_ms": list(self.timing.warmup_ms),
                "samples": [[sample.ms, sample.inner_runs] for sample in self.timing.samples],
                "reference_ms": self.timing.reference_ms,
            }
            if self.timing.cold_ms:
                data["timing"]["cold_ms"] = list(self.timing.cold_ms)
            if self.timing.summary is not None:
                data["timing"]["summary"] = asdict(self.timing.summary)
        else:
            data["error"] = self.error
        if self.disturbed:
            data["disturbed"] = True
        for name, state in (("before", self.before), ("after", self.after)):
            data[name] = {key: value for key, value in asdict(state).items() if value is not None}
        return data

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Measurement:
        """Raises TableError where the record is not a measurement."""
        try:
            timing = None
            if "timing" in data:
                raw = data["timing"]
                samples = Samples(_sample(ms, inner) for ms, inner in raw["samples"])
                reference = raw["reference_ms"]
                timing = Timing(
                    _readings(raw["warmup_ms"]),
                    samples,
                    None if reference is None else float(reference),
                    RunSummary(**raw["summary"]) if "summary" in raw else None,
                    _readings(raw.get("cold_ms", [])),
                )
            before, after = DeviceState(**data["before"]), DeviceState(**data["after"])
            found = Measurement(
                str(data["subject"]),
                timing,
                data.get("error"),
                before,
                after,
                str(data["time"]),
                bool(data.get("disturbed")),
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            raise TableError("not a measurement") from None
        if (timing is None) == (found.error is None) or (timing is not None and not timing.samples):
            raise TableError("a measurement without readings, or with an error beside them")
        if timing is not None and not all(0 < ms < inf for ms in timing.readings):
            raise TableError("a reading that is no time above zero")
        summary = timing.summary if timing is not None else None
        if summary is not None and not (0 < summary.median_ms < inf and 0 <= summary.std_ms < inf):
            raise TableError("a summary of runs that is impossible")
        if not all(map(_is_state, (before, after))):
            raise TableError("a state that no device can be in")
        return found


def _readings(raw: Any) -> tuple[float, ...]:
    if not isinstance(raw, list) or not all(type(ms) in (int, float) for ms in raw):
        raise ValueError("no readings")
    return tuple(map(float, raw))


def _sample(ms: Any, inner_runs: Any) -> Sample:
    if not _is_number(ms) or type(inner_runs) is not int or not 1 <= inner_runs < _MOST:
        raise ValueError("no sample")
    return Sample(float(ms), inner_runs)


_TEXTS = ("governor", "power", "screen", "throttled")
_BY_NAME = ("cores_mhz", "temperatures_celsius")


def _is_state(state: DeviceState) -> bool:
    """Whether every entry is of its type, and every number finite."""
    for name, value in asdict(state).items():
        if name in _TEXTS:
            fits = value is None or isinstance(value, str)
        elif name in _BY_NAME:
            fits = value is None or (isinstance(value, dict) and all(map(_is_number, value.values())))
        else:
            fits = value is None or _is_number(value)
        if not fits:
            return False
    return True


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < _MOST


_MOST = 1e15
"""Of what a device says of itself, in any unit."""
