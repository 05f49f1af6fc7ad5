"""A row is what a subject takes while nothing else does, on the clock that the reference tells."""

from collections.abc import Sequence

import pytest
from toys import SIMULATED
from zenbench.bench.measuring.aggregation import rows_of
from zenbench.bench.measuring.journal import History, MeasuringSession
from zenbench.bench.measuring.measurement import Measurement, Timing
from zenbench.bench.measuring.recipe import REFERENCE, Recipe
from zenbench.bench.measuring.samples import Samples
from zenbench.devices.base import DeviceState, Sample

STATE = DeviceState()


def session(*measurements: Measurement, history: History | None = None) -> History:
    history = history or History()
    history.begin(MeasuringSession(SIMULATED, {}, {}, Recipe(), REFERENCE, "2026-01-01T00:00:00+00:00"))
    history.measurements.extend(measurements)
    return history


def measurement(samples: Sequence[float], reference_ms: float | None, subject: str = "a") -> Measurement:
    timing = Timing((), Samples(map(Sample, samples)), reference_ms)
    return Measurement(subject, timing, None, STATE, STATE, "2026-01-01T00:00:00+00:00")


def test_what_else_is_busy_adds_nothing() -> None:
    rounds = [measurement(samples, 1.0) for samples in ([2.0, 2.6], [2.4, 2.5], [3.0, 2.7], [2.1, 2.2])]
    rows, reference_ms = rows_of(session(*rounds))
    assert reference_ms == 1.0
    assert rows["a"].latency_ms == 2.0
    assert rows["a"].median_ms == pytest.approx(2.375)
    assert rows["a"].spread > 0.1 and rows["a"].verdict == "noisy"


def test_a_slow_reading_of_the_reference_makes_nothing_faster() -> None:
    rounds = [measurement([2.0], reference_ms) for reference_ms in (1.0, 1.0, 4.0, 1.0)]
    assert rows_of(session(*rounds))[0]["a"].latency_ms == 2.0


def test_a_slower_clock_is_divided_out() -> None:
    fast = [measurement([2.0], 1.0, "fast") for _ in range(101)]
    slow = [measurement([3.0], 1.5, "slow") for _ in range(100)]
    rows, reference_ms = rows_of(session(*fast, *slow))
    assert reference_ms == 1.0
    assert rows["slow"].latency_ms == rows["fast"].latency_ms == 2.0


def test_a_sitting_has_its_own_clock() -> None:
    history = session(*(measurement([2.0], 1.0, "first") for _ in range(6)))
    history = session(*(measurement([3.0], 1.5, "second") for _ in range(5)), history=history)
    rows, _ = rows_of(history)
    assert rows["second"].latency_ms == rows["first"].latency_ms == 2.0


def test_without_a_reference_the_median_stays() -> None:
    rows, reference_ms = rows_of(session(*(measurement([ms], None) for ms in (1.0, 2.0, 4.0))))
    assert reference_ms is None
    assert rows["a"].latency_ms == rows["a"].median_ms == 2.0
