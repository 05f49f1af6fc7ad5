"""Rounds: warm-up and hot runs against a session whose readings are scripted, and throttled rounds taken
again, on a device at hand and on one behind a link."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
from zenbench.bench.measuring.journal import Journal, read
from zenbench.bench.measuring.recipe import Recipe, profile_recipe
from zenbench.bench.measuring.rounds import WARMUP_MS, WARMUP_RUNS, time_cold, time_hot, warm_up
from zenbench.bench.measuring.subjects import is_network_key
from zenbench.bench.profiling.plan import plan, sources
from zenbench.bench.profiling.profile import profile
from zenbench.bench.profiling.progress import Limits
from zenbench.bench.tables.from_journal import build_table
from zenbench.devices.base import (
    Artifact,
    DeviceState,
    RemoteDevice,
    RemoteRound,
    Sample,
    Session,
    Setting,
    SettingRequest,
)
from zenbench.devices.card import card
from zenbench.devices.simulated import SimulatedDevice, SimulatedSession
from zenbench.errors import DeviceError, DeviceUnavailableError
from zenbench.zen.space import spaces

RECIPE = Recipe(rounds=3, round_ms=1.0, min_runs=2, max_runs=5, window=4)


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
    lead, samples = time_hot(session, Recipe(round_ms=10, min_runs=3, max_runs=20))
    assert len(lead) == 1, "one untimed run before the timed ones"
    assert len(samples) == runs
    assert session.calls == [1, runs], "the timed runs are one row"


class Hot(SimulatedDevice):
    """Throttles whenever its state is asked the `when`-th time."""

    def __init__(self, when: Callable[[int], bool]) -> None:
        super().__init__(card("simulated"))
        self._when, self._asked = when, 0

    def state(self) -> DeviceState:
        self._asked += 1
        return DeviceState(throttled="hot" if self._when(self._asked) else None)


class Remote(Hot):
    """The same, a whole round in one call; the link breaks after `calls` rounds."""

    def __init__(self, when: Callable[[int], bool] = lambda asked: False, calls: int = 10**6) -> None:
        super().__init__(when)
        self._calls = calls
        self.files: list[bool] = []
        self.closed = False

    def open_all(self, artifacts: Sequence[Artifact], setting: Setting) -> Sequence[Session | DeviceError]:
        self._paths = [artifact.path for artifact in artifacts]
        return [self.open(artifact, setting) for artifact in artifacts]

    def round(self, reference: Session, session: Session, runs: int, round_ms: float) -> RemoteRound:
        assert isinstance(session, SimulatedSession)
        self._calls -= 1
        if self._calls < 0:
            raise DeviceUnavailableError("the cable fell out")
        self.files.append(all(path.exists() for path in self._paths))
        before, first = self.state(), reference.time(1)
        return RemoteRound(
            before, first, session.time(1), [Sample(session.time(1)[0].ms, runs)], self.state()
        )

    def close(self) -> None:
        self.closed = True


def measure(path: Path, device: SimulatedDevice, blocks: int = 6) -> None:
    with Journal(path) as journal:
        items = plan(sources(spaces()["mobilenet"]), [32], 0, journal.history)
        profile(device, device.setting(SettingRequest()), items, journal, RECIPE, Limits(workloads=blocks))


@pytest.mark.parametrize("kind", [Hot, Remote])
def test_throttled_rounds_are_kept_marked_and_taken_again(tmp_path: Path, kind: type[Hot]) -> None:
    path = tmp_path / "j.jsonl"
    measure(path, kind(lambda asked: asked % 11 == 0))
    found = read(path).measurements
    assert any(one.throttled for one in found)
    for subject in {one.subject for one in found}:
        rounds = [one for one in found if one.subject == subject]
        assert sum(not one.throttled for one in rounds) == RECIPE.rounds
    assert {row.rounds for row in build_table(read(path)).rows.values()} == {RECIPE.rounds}
    assert all(row.verdict != "throttled" for row in build_table(read(path)).rows.values())


@pytest.mark.parametrize("kind", [Hot, Remote])
def test_a_device_that_never_cools_ends_with_rows_that_say_so(tmp_path: Path, kind: type[Hot]) -> None:
    path = tmp_path / "j.jsonl"
    measure(path, kind(lambda asked: True))
    table = build_table(read(path))
    # What disturbs the simulated reference may cost one round.
    assert {row.rounds for row in table.rows.values()} <= {RECIPE.most_rounds, RECIPE.most_rounds - 1}
    assert {row.verdict for row in table.rows.values()} == {"throttled"}
    before = path.read_bytes()
    measure(path, kind(lambda asked: True))
    assert path.read_bytes() == before, "nothing is left to do"


def test_a_remote_device_takes_rounds_whole_and_is_let_go(tmp_path: Path) -> None:
    device = Remote()
    assert isinstance(device, RemoteDevice) and not isinstance(Hot(lambda asked: False), RemoteDevice)
    measure(tmp_path / "j.jsonl", device)
    assert device.closed
    assert device.files and all(device.files), "files stay while their sessions are open"
    timings = [one.timing for one in read(tmp_path / "j.jsonl").measurements if one.timing is not None]
    assert {timing.runs for timing in timings} == {RECIPE.min_runs}


def test_a_lost_device_ends_the_profile_and_blames_no_block(tmp_path: Path) -> None:
    path, device = tmp_path / "j.jsonl", Remote(calls=7)
    with pytest.raises(DeviceUnavailableError, match="cable"):
        measure(path, device)
    assert device.closed
    assert [one.error for one in read(path).measurements] == [None] * 7
    measure(path, Remote())
    counts = [one.subject for one in read(path).measurements]
    assert {counts.count(subject) for subject in counts} == {RECIPE.rounds}


def test_every_cold_run_comes_behind_a_flush() -> None:
    order: list[str] = []

    class Named(Scripted):
        def __init__(self, name: str, readings: Iterator[float]) -> None:
            super().__init__(readings)
            self._name = name

        def time(self, runs: int) -> Sequence[Sample]:
            order.append(self._name)
            return super().time(runs)

    session = Named("unit", iter([3.0, 1.0, 2.0]))
    assert time_cold(session, Named("flush", steady(9.0)), 3) == [3.0, 1.0, 2.0]
    assert order == ["flush", "unit"] * 3


class Cached(SimulatedDevice):
    """The simulated device with a cache: what runs behind another session takes a tenth longer."""

    last_cache_mb = 1.0

    def __init__(self) -> None:
        super().__init__(card("simulated"))
        self.last: object = None

    def open(self, artifact: Artifact, setting: Setting) -> SimulatedSession:
        device, session = self, super().open(artifact, setting)
        timed = session.time

        def time(runs: int) -> Sequence[Sample]:
            cold = device.last is not session
            device.last = session
            first, *others = timed(runs)
            return [Sample(first.ms * (1.1 if cold else 1.0)), *others]

        session.time = time  # type: ignore[method-assign]
        return session


def test_units_and_ends_are_timed_cold_too_and_networks_are_not(tmp_path: Path) -> None:
    device, path = Cached(), tmp_path / "j.jsonl"
    recipe = replace(profile_recipe(device), rounds=3, round_ms=1.0, window=4)
    assert recipe.flush_mb == 1.5
    with Journal(path) as journal:
        items = plan(sources(spaces()["mobilenet"]), [32], 0, journal.history)
        profile(device, device.setting(SettingRequest()), items, journal, recipe, Limits(workloads=24))
    for one in read(path).measurements:
        assert one.timing is not None
        expected = 0 if is_network_key(one.subject) else recipe.cold_runs
        assert len(one.timing.cold_ms) == expected
    table = build_table(read(path))
    excess = [row.cold_ms / row.latency_ms - 1 for row in table.rows.values() if row.cold_ms is not None]
    assert len(excess) == 24
    assert 0.02 < median(excess) < 0.2
