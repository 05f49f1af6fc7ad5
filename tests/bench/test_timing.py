"""Recipe and timing against a session whose readings are scripted."""

from collections.abc import Iterator, Sequence

import pytest
from zenbench.bench.timing import (
    REFERENCE,
    WARMUP_MS,
    WARMUP_RUNS,
    Measurement,
    Recipe,
    time_round,
    warm_up,
)
from zenbench.devices.base import Sample
from zenbench.errors import TableError
from zenbench.zen.workload import Workload


class Scripted:
    """A session that gives the next readings of a script."""

    def __init__(self, readings: Iterator[float]) -> None:
        self._readings = readings
        self.calls: list[int] = []

    def time(self, runs: int) -> Sequence[Sample]:
        self.calls.append(runs)
        return [Sample(next(self._readings)) for _ in range(runs)]

    def close(self) -> None:
        pass


def steady(ms: float) -> Iterator[float]:
    while True:
        yield ms


def falling(start: float, factor: float) -> Iterator[float]:
    while True:
        yield start
        start *= factor


def test_warm_up_ends_when_steady() -> None:
    assert warm_up(Scripted(steady(1.0))) == [1.0] * 3
    settling = iter([5.0, 3.0, 1.0, 1.01, 1.0, 99.0])
    assert warm_up(Scripted(settling)) == [5.0, 3.0, 1.0, 1.01, 1.0]


def test_warm_up_gives_up_on_a_device_that_never_settles() -> None:
    assert len(warm_up(Scripted(falling(1.0, 0.5)))) == WARMUP_RUNS[1]


def test_warm_up_of_a_slow_network_is_short() -> None:
    assert len(warm_up(Scripted(falling(2 * WARMUP_MS, 0.9)))) == WARMUP_RUNS[0]


@pytest.mark.parametrize("ms, runs", [(0.01, 20), (1.0, 10), (50.0, 3)])
def test_round_aims_at_its_duration_within_limits(ms: float, runs: int) -> None:
    session = Scripted(steady(ms))
    lead, samples = time_round(session, Recipe(round_ms=10, min_runs=3, max_runs=20))
    assert len(lead) == 1, "one untimed run before the timed ones"
    assert len(samples) == runs
    assert session.calls == [1, runs], "the timed runs are one row"


def test_reference_is_a_workload() -> None:
    assert str(Workload.parse(REFERENCE)) == REFERENCE


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"subject": "x", "time": "t", "before": {}, "after": {}},
        {"subject": "x", "time": "t", "before": {}, "after": {}, "error": "e", "timing": {}},
        {"subject": "x", "time": "t", "before": {"mood": 1}, "after": {}, "error": "e"},
        {
            "subject": "x",
            "time": "t",
            "before": {},
            "after": {},
            "timing": {"warmup_ms": [], "samples": [], "reference_ms": 1},
        },
    ],
)
def test_records_that_are_no_measurement(data: dict[str, object]) -> None:
    with pytest.raises(TableError):
        Measurement.from_json(data)
