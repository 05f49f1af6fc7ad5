"""How a round is taken: call by call on a device at hand, in one call on a device behind a link.

Either way it is the same round: the reference warmed and timed, then the subject warmed and timed, the
device's state before and after.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median
from typing import Protocol

from ...devices.base import Artifact, Device, DeviceState, RemoteDevice, Sample, Session, Setting
from ...errors import DeviceBrokenError, DeviceError, DeviceUnavailableError
from .measurement import Timing
from .recipe import Recipe
from .samples import Samples

WARMUP_RUNS = (3, 20)
"""Fewest and most runs of a warm-up; it ends when three in a row lie within STEADY of each other."""
STEADY = 0.05
WARMUP_MS = 300.0
REFERENCE_RECIPE = Recipe(round_ms=3.0, min_runs=3, max_runs=10)

RoundReading = tuple[DeviceState, Timing, DeviceState]


class Rounds(Protocol):
    """Opens artifacts and takes rounds of them beside the reference."""

    def open(self, artifacts: Sequence[Artifact]) -> Iterator[Session | DeviceError]:
        """A session an artifact, or why there is none; DeviceUnavailableError is raised, and what an artifact
        broke the device with after it was given."""
        ...

    def take(
        self, reference: Session, session: Session, recipe: Recipe, flush: Session | None
    ) -> RoundReading:
        """One round, with the state before and after it; with `flush`, runs that come cold too. Raises
        DeviceError."""
        ...

    def close(self) -> None: ...


def rounds_of(device: Device, setting: Setting) -> Rounds:
    """The way that suits the device."""
    return _InOneCall(device, setting) if isinstance(device, RemoteDevice) else _CallByCall(device, setting)


class _CallByCall:
    def __init__(self, device: Device, setting: Setting) -> None:
        self._device, self._setting = device, setting
        self._warmups: dict[int, list[float]] = {}

    def open(self, artifacts: Sequence[Artifact]) -> Iterator[Session | DeviceError]:
        for artifact in artifacts:
            try:
                session = self._opened(artifact)
            except DeviceError as error:
                if isinstance(error, DeviceUnavailableError) and not isinstance(error, DeviceBrokenError):
                    raise
                yield error
                if isinstance(error, DeviceBrokenError):
                    raise
            else:
                yield session

    def _opened(self, artifact: Artifact) -> Session:
        """A session, warmed up."""
        session = self._device.open(artifact, self._setting)
        try:
            self._warmups[id(session)] = warm_up(session)
        except BaseException:
            session.close()
            raise
        return session

    def take(
        self, reference: Session, session: Session, recipe: Recipe, flush: Session | None
    ) -> RoundReading:
        before = self._device.state()
        _, reference_samples = time_hot(reference, REFERENCE_RECIPE)
        lead, samples = time_hot(session, recipe)
        cold = time_cold(session, flush, recipe.cold_runs) if flush is not None else ()
        warmup = (*self._warmups.pop(id(session), ()), *lead)
        after = self._device.state()
        # One object where nothing changed: a profile holds many thousands of rounds.
        return before, _timing(warmup, samples, reference_samples, cold), before if after == before else after

    def close(self) -> None:
        """Nothing is held between the calls."""


class _InOneCall:
    def __init__(self, device: RemoteDevice, setting: Setting) -> None:
        self._device, self._setting = device, setting

    def open(self, artifacts: Sequence[Artifact]) -> Iterator[Session | DeviceError]:
        yield from self._device.open_all(artifacts, self._setting)

    def take(
        self, reference: Session, session: Session, recipe: Recipe, flush: Session | None
    ) -> RoundReading:
        # Its runs come one after the other in one call, with nothing between them.
        found = self._device.round(reference, session, recipe.min_runs, recipe.round_ms)
        warmup = [sample.ms for sample in found.warmup]
        return found.before, _timing(warmup, found.samples, found.reference), found.after

    def close(self) -> None:
        self._device.close()


def warm_up(session: Session) -> list[float]:
    """Runs until steady; the readings in ms."""
    readings: list[float] = []
    fewest, most = WARMUP_RUNS
    while len(readings) < most and (len(readings) < fewest or sum(readings) < WARMUP_MS):
        readings.append(session.time(1)[0].ms)
        last = readings[-3:]
        if len(last) == 3 and max(last) - min(last) <= STEADY * min(last):
            break
    return readings


def time_hot(session: Session, recipe: Recipe) -> tuple[list[float], Sequence[Sample]]:
    """The untimed run that warms the caches, and the samples."""
    lead = [sample.ms for sample in session.time(1)]
    runs = round(recipe.round_ms / max(lead[0], 1e-6))
    return lead, session.time(min(max(runs, recipe.min_runs), recipe.max_runs))


def time_cold(session: Session, flush: Session, runs: int) -> list[float]:
    """Single runs in ms, each after a run of something that goes through the caches."""
    cold: list[float] = []
    for _ in range(runs):
        flush.time(1)
        cold.append(session.time(1)[0].ms)
    return cold


def _timing(
    warmup_ms: Sequence[float],
    samples: Sequence[Sample],
    reference: Sequence[Sample],
    cold_ms: Sequence[float] = (),
) -> Timing:
    # Whole nanoseconds, as in the journal, so that a table is the same however it is rebuilt.
    return Timing(
        tuple(round(ms, 6) for ms in warmup_ms),
        Samples(replace(sample, ms=round(sample.ms, 6)) for sample in samples),
        round(median(sample.ms for sample in reference), 6),
        cold_ms=tuple(round(ms, 6) for ms in cold_ms),
    )
