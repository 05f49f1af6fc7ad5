"""Rounds in which something else was busy are told by the reference, kept, marked and taken again."""

from collections import Counter
from pathlib import Path

from zenbench.bench.measuring.disturbance import DisturbanceDetector
from zenbench.bench.measuring.journal import Journal, read
from zenbench.bench.measuring.measurement import Measurement, Timing
from zenbench.bench.measuring.recipe import Recipe
from zenbench.bench.measuring.samples import Samples
from zenbench.bench.profiling.plan import plan, sources
from zenbench.bench.profiling.profile import profile
from zenbench.bench.profiling.progress import Limits
from zenbench.bench.tables.from_journal import build_table
from zenbench.devices.base import DeviceState, Sample, SettingRequest
from zenbench.devices.card import cards
from zenbench.devices.simulated import SimulatedDevice
from zenbench.zen.space import spaces

RECIPE = Recipe(rounds=4, round_ms=1.0, min_runs=2, max_runs=5, window=4)


def measurement(reference_ms: float | None) -> Measurement:
    timing = Timing((1.0,), Samples((Sample(1.0),)), reference_ms)
    return Measurement("a", timing, None, DeviceState(), DeviceState(), "2026-01-01T00:00:00+00:00")


def test_a_slower_reference_tells_a_disturbance() -> None:
    detector = DisturbanceDetector(map(measurement, [1.0, 1.01, 1.02, 1.005] * 10))
    assert not detector.disturbed(measurement(1.05))
    assert detector.disturbed(measurement(1.15))
    assert not detector.disturbed(measurement(None))


def test_most_rounds_may_be_disturbed() -> None:
    detector = DisturbanceDetector(map(measurement, [1.0, 1.01, 1.005] * 10 + [1.4, 1.5] * 20))
    assert detector.disturbed(measurement(1.4)) and not detector.disturbed(measurement(1.02))


def test_a_device_that_varies_by_itself_is_not_disturbed() -> None:
    detector = DisturbanceDetector(map(measurement, [0.9, 0.95, 1.0, 1.05, 1.1] * 8))
    assert not detector.disturbed(measurement(1.1))
    assert detector.disturbed(measurement(1.5))


def test_a_few_readings_tell_no_pace() -> None:
    assert not DisturbanceDetector([measurement(1.0)]).disturbed(measurement(9.0))


def test_only_the_last_readings_count_while_measuring() -> None:
    detector = DisturbanceDetector(map(measurement, [1.0] * 50), last=20)
    for _ in range(20):
        detector.see(measurement(1.5))
    assert not detector.disturbed(measurement(1.5))


class Visited(SimulatedDevice):
    """Something else slows it down now and then: the reference, which is opened first, by a quarter, all else
    by half."""

    def __init__(self) -> None:
        super().__init__(cards()["simulated"])
        self._asked = 0
        self._reference_ms: float | None = None

    def state(self) -> DeviceState:
        self._asked += 1
        return DeviceState()

    def reading_ms(self, steady_ms: float, run: int) -> float:
        self._reference_ms = self._reference_ms or steady_ms
        busy = self._asked // 20 % 4 == 3
        return steady_ms * (1.0 if not busy else 1.25 if steady_ms == self._reference_ms else 1.5)


def test_disturbed_rounds_are_kept_marked_and_taken_again(tmp_path: Path) -> None:
    device, path = Visited(), tmp_path / "j.jsonl"
    with Journal(path) as journal:
        items = plan(sources(spaces()["mobilenet"]), [32], 0, journal.history)
        profile(device, device.setting(SettingRequest()), items, journal, RECIPE, Limits(workloads=24))
    history = read(path)
    assert 0.1 < sum(one.disturbed for one in history.measurements) / len(history.measurements) < 0.4
    taken = Counter(one.subject for one in history.measurements)
    good = Counter(one.subject for one in history.measurements if one.good)
    assert Counter(good.values()).most_common(1)[0][0] == RECIPE.rounds
    assert all(good[key] == RECIPE.rounds or taken[key] == RECIPE.most_rounds for key in taken)
    assert all(row.spread < 0.001 for row in build_table(history).rows.values())
