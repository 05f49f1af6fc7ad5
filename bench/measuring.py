"""The measuring protocol: windows of subjects whose short rounds are interleaved beside a reference."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

from ..devices.base import Device, DeviceState, Session, Setting
from ..errors import DeviceError
from ..zen.workload import Workload
from .subjects import Subject, WorkloadSubject
from .timing import REFERENCE, Measurement, Recipe, Timing, time_round, warm_up


@dataclass(frozen=True)
class Task:
    """A subject and how many rounds it still needs."""

    subject: Subject
    rounds: int


class Meter:
    """A device set up for one setting, with the reference workload loaded; closed by `with`."""

    def __init__(self, device: Device, setting: Setting, recipe: Recipe) -> None:
        self._device, self._setting, self.recipe = device, setting, recipe
        self._resources = ExitStack()
        folder = self._resources.enter_context(tempfile.TemporaryDirectory(prefix="zenbench-"))
        self._folder = Path(folder)
        try:
            reference = WorkloadSubject(Workload.parse(REFERENCE)).artifact(
                self._folder, setting, device.accepts[0]
            )
            self._reference = self._resources.enter_context(closing(device.open(reference, setting)))
            warm_up(self._reference)
        except BaseException:
            self._resources.close()
            raise

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *error: object) -> None:
        self._resources.close()

    def window(self, tasks: Sequence[Task]) -> Iterator[Measurement]:
        """Measures the tasks together, a round of each in turn; a failure is yielded once."""
        with ExitStack() as sessions:
            open_tasks: list[tuple[Task, Session, list[float]]] = []
            for task in tasks:
                try:
                    session = sessions.enter_context(closing(self._open(task.subject)))
                    open_tasks.append((task, session, warm_up(session)))
                except DeviceError as error:
                    yield self._failed(task.subject, error)
            for number in range(max((task.rounds for task in tasks), default=0)):
                for entry in list(open_tasks):
                    task, session, warmup = entry
                    if number >= task.rounds:
                        continue
                    try:
                        yield self._round(task.subject, session, warmup if number == 0 else [])
                    except DeviceError as error:
                        open_tasks.remove(entry)
                        yield self._failed(task.subject, error)

    def _open(self, subject: Subject) -> Session:
        artifact = subject.artifact(self._folder, self._setting, self._device.accepts[0])
        try:
            if artifact.format not in self._device.accepts:
                raise DeviceError(
                    f"{self._device.name} through {self._setting.runtime} takes "
                    f"{' or '.join(self._device.accepts)} files, not {artifact.format}"
                )
            return self._device.open(artifact, self._setting)
        finally:
            if artifact.path.parent == self._folder:
                artifact.path.unlink()

    def _round(self, subject: Subject, session: Session, warmup: list[float]) -> Measurement:
        before = self._device.state()
        _, reference = time_round(self._reference, _REFERENCE_RECIPE)
        lead, samples = time_round(session, self.recipe)
        # Whole nanoseconds, as in the journal, so that a table is the same however it is rebuilt.
        timing = Timing(
            tuple(round(ms, 6) for ms in (*warmup, *lead)),
            tuple(replace(sample, ms=round(sample.ms, 6)) for sample in samples),
            round(median(sample.ms for sample in reference), 6),
        )
        return Measurement(subject.key, timing, None, before, self._device.state(), _now())

    def _failed(self, subject: Subject, error: DeviceError) -> Measurement:
        unknown = DeviceState()
        return Measurement(subject.key, None, str(error), unknown, unknown, _now())


_REFERENCE_RECIPE = Recipe(round_ms=3.0, min_runs=3, max_runs=10)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
