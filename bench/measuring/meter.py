"""The measuring protocol: windows of subjects whose short rounds are interleaved beside a reference."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from ...devices.base import Artifact, Device, DeviceState, RemoteDevice, Session, Setting
from ...errors import DeviceBrokenError, DeviceError, DeviceUnavailableError
from ...zen.workload import Workload
from .disturbance import RECENT, DisturbanceDetector
from .flush import flush_artifact
from .measurement import Measurement
from .memory import give_back
from .recipe import REFERENCE, Recipe
from .rounds import rounds_of
from .subjects import AloneSubject, Subject


@dataclass(frozen=True)
class Visit:
    """A subject, how many rounds it still needs, and how many it may take where they are not good.

    `cold`: whether it is also run after the caches were flushed.
    """

    subject: Subject
    rounds: int
    most_rounds: int
    cold: bool = False


@dataclass
class _Open:
    key: str
    session: Session
    rounds: int
    most_rounds: int
    flush: Session | None


class Meter:
    """A device set up for one setting, with the reference workload loaded, and what flushes its caches where
    the recipe asks for it and single runs can be had; closed by `with`."""

    def __init__(
        self, device: Device, setting: Setting, recipe: Recipe, earlier: Sequence[Measurement] = ()
    ) -> None:
        """`earlier` ones of the same setting tell its pace from the start."""
        self._device, self._setting, self.recipe = device, setting, recipe
        self._detector = DisturbanceDetector(earlier, RECENT)
        self._rounds = rounds_of(device, setting)
        self._resources = ExitStack()
        self._resources.callback(self._rounds.close)
        try:
            folder = Path(self._resources.enter_context(_folder()))
            file_format = device.accepts[0]
            reference = AloneSubject(Workload.parse(REFERENCE)).artifact(folder, setting, file_format)
            self._reference = self._opened(reference)
            self._flush: Session | None = None
            if recipe.flush_mb and not isinstance(device, RemoteDevice):
                self._flush = self._opened(flush_artifact(recipe.flush_mb, folder, setting, file_format))
        except BaseException:
            self._resources.close()
            raise

    def _opened(self, artifact: Artifact) -> Session:
        """A session that stays open as long as this."""
        (opened,) = self._rounds.open([artifact])
        if isinstance(opened, DeviceError):
            raise opened
        return self._resources.enter_context(closing(opened))

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *error: object) -> None:
        self._resources.close()

    def window(self, tasks: Sequence[Visit]) -> Iterator[Measurement]:
        """Measures the tasks together, a round of each in turn; a failure is yielded once.

        A round in which the device throttled or was disturbed is yielded too, and taken again.
        """
        with ExitStack() as resources:
            resources.callback(give_back)
            folder = Path(resources.enter_context(_folder()))
            artifacts: list[tuple[Visit, Artifact]] = []
            for task in tasks:
                try:
                    artifacts.append((task, self._artifact(task.subject, folder)))
                except DeviceError as error:
                    yield self._failed(task.subject.key, error)
            waiting: list[_Open] = []
            opened = self._rounds.open([artifact for _, artifact in artifacts])
            for (task, _), session in zip(artifacts, opened, strict=True):
                if isinstance(session, DeviceError):
                    yield self._failed(task.subject.key, session)
                else:
                    resources.enter_context(closing(session))
                    flush = self._flush if task.cold else None
                    waiting.append(_Open(task.subject.key, session, task.rounds, task.most_rounds, flush))
            while waiting:
                for entry in list(waiting):
                    try:
                        measurement = self._round(entry)
                    except DeviceBrokenError as error:
                        yield self._failed(entry.key, error)
                        raise
                    except DeviceUnavailableError:
                        raise
                    except DeviceError as error:
                        measurement = self._failed(entry.key, error)
                        entry.rounds = 0
                    entry.most_rounds -= 1
                    entry.rounds -= measurement.good
                    if entry.rounds <= 0 or entry.most_rounds <= 0:
                        waiting.remove(entry)
                    yield measurement

    def _artifact(self, subject: Subject, folder: Path) -> Artifact:
        artifact = subject.artifact(folder, self._setting, self._device.accepts[0])
        if artifact.format not in self._device.accepts:
            raise DeviceError(
                f"{self._device.name} through {self._setting.runtime} takes "
                f"{' or '.join(self._device.accepts)} files, not {artifact.format}; "
                "give another --runtime (zenbench devices)"
            )
        return artifact

    def _round(self, entry: _Open) -> Measurement:
        before, timing, after = self._rounds.take(self._reference, entry.session, self.recipe, entry.flush)
        measurement = Measurement(entry.key, timing, None, before, after, _now())
        self._detector.see(measurement)
        return replace(measurement, disturbed=self._detector.disturbed(measurement))

    def _failed(self, key: str, error: DeviceError) -> Measurement:
        unknown = DeviceState()
        return Measurement(key, None, str(error), unknown, unknown, _now())


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="zenbench-")


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
