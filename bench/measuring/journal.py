"""Journal: append-only JSON lines, the source of truth behind a table.

A line is either the head of a session (setting, identity, versions, recipe: what all measurements
after it share) or one measurement. A network's first measurement holds its structure, and its `role` where
that is not `calibrating`: a `judging` one is never learned from. One process writes at a time.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any, TextIO, get_args

from filelock import FileLock, Timeout

from ...atomic import make_folder
from ...devices.base import Device, Setting
from ...errors import TableError, UserError
from ...latency_tables.row import Basis, Role
from ...zen.network import Network, from_json
from .measurement import Measurement
from .recipe import REFERENCE, Recipe

FORMAT = "zenbench-journal/1"
_log = logging.getLogger("zenbench")


@dataclass(frozen=True)
class MeasuringSession:
    """One run of a measuring command: the line that heads its measurements.

    What another tool measured has a `source` that says so, no recipe of ours and no reference workload.
    `basis`: how workloads were timed.
    """

    setting: Setting
    identity: Mapping[str, str]
    versions: Mapping[str, str]
    recipe: Recipe | None
    reference: str | None
    started: str
    source: str | None = None
    basis: Basis = "alone"

    def to_json(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self)}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> MeasuringSession:
        """Raises TableError where the record is not the head of a session."""
        values = {key: value for key, value in data.items() if key != "format"}
        try:
            setting, recipe = Setting(**values.pop("setting")), values.pop("recipe")
            session = MeasuringSession(
                setting=setting, recipe=None if recipe is None else Recipe(**recipe), **values
            )
        except (KeyError, TypeError):
            raise TableError("not the head of a sitting") from None
        if not session.is_whole:
            raise TableError("the head of a sitting with entries of another form")
        return session

    @property
    def is_whole(self) -> bool:
        """Whether its entries are of their types, as far as anything relies on it."""
        groups, texts = (self.identity, self.versions), (self.reference, self.source)
        return (
            self.basis in get_args(Basis)
            and all(isinstance(group, dict) for group in groups)
            and isinstance(self.started, str)
            and all(text is None or isinstance(text, str) for text in texts)
            and self.setting.is_whole
            and (self.recipe is None or self.recipe.is_whole)
        )


@dataclass
class History:
    """What a journal holds.

    `starts`: the place of each session's first measurement. `networks` maps the keys of measured networks to
    them; `hold_out` are the keys of those that no prediction may learn from.
    """

    sessions: list[MeasuringSession] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    networks: dict[str, Network] = field(default_factory=dict)
    hold_out: set[str] = field(default_factory=set)

    def begin(self, session: MeasuringSession) -> None:
        """What is added from now on was measured in this session."""
        self.sessions.append(session)
        self.starts.append(len(self.measurements))

    @property
    def basis(self) -> Basis:
        """How all its workloads were timed; raises TableError where some sessions did otherwise."""
        bases = {session.basis for session in self.sessions}
        if len(bases) > 1:
            raise TableError("the journal mixes workloads timed alone and in context; choose another table")
        return bases.pop() if bases else "alone"

    def by_session(self) -> list[list[Measurement]]:
        return [self.measurements[start:end] for start, end in pairwise([*self.starts, None])]

    def seconds(self, role: Role) -> float:
        """How long everything of a role took, in all sessions."""
        starts = [(datetime.fromisoformat(session.started), "") for session in self.sessions]
        ends = [(datetime.fromisoformat(one.time), one.subject) for one in self.measurements]
        events = sorted([*starts, *ends], key=lambda event: event[0])
        return sum(
            (time - before).total_seconds()
            for (before, _), (time, subject) in pairwise(events)
            if subject and (subject in self.hold_out) == (role == "judging")
        )


class Journal:
    """The journal at a path, open for appending and locked against other writers; closed by `with`."""

    def __init__(self, path: Path) -> None:
        make_folder(path.parent)
        self._lock = FileLock(path.with_name(f".{path.name}.lock"))
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UserError(
                f"another zenbench is writing to {path}; wait for it to end or choose another --table"
            ) from None
        except OSError as error:
            raise UserError(f"nothing can be written beside {path}: {error.strerror}") from None
        try:
            self.history = read(path)
            _drop_torn_line(path)
            self._file = _appending(path)
        except BaseException:
            self._lock.release()
            raise

    def head(self, session: MeasuringSession) -> None:
        self.history.begin(session)
        self._write(session.to_json())

    def append(
        self, measurement: Measurement, network: Network | None = None, role: Role = "calibrating"
    ) -> None:
        """Adds one measurement; a network's structure and role are written with it, once."""
        self.history.measurements.append(measurement)
        data = measurement.to_json()
        if network is not None and measurement.subject not in self.history.networks:
            self.history.networks[measurement.subject] = network
            data["network"] = network.to_json()
            if role != "calibrating":
                data["role"] = role
            if role == "judging":
                self.history.hold_out.add(measurement.subject)
        self._write(data)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        self._lock.release()

    def _write(self, data: Mapping[str, Any]) -> None:
        # One write and a flush: what is killed after this line has lost nothing before it.
        self._file.write(json.dumps(data, separators=(",", ":"), allow_nan=False) + "\n")
        self._file.flush()


def read(path: Path) -> History:
    """Everything in a journal; a torn last line is left out, any other damage is a TableError."""
    history = History()
    try:
        lines = path.read_text("utf-8").split("\n") if path.exists() else [""]
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"journal {path} cannot be read: {error}") from None
    if lines[-1]:
        _log.warning("dropped the torn last line of %s: its measurement will be repeated", path)
    for number, line in enumerate(lines[:-1], 1):
        try:
            _take(json.loads(line), history)
        except (ValueError, RecursionError, AttributeError, TableError) as error:
            reason = error if isinstance(error, TableError) else "not valid JSON"
            raise TableError(
                f"journal {path} is damaged at line {number} ({reason}); delete that line to keep the rest"
            ) from None
    return history


def _take(data: dict[str, Any], history: History) -> None:
    if "format" in data:
        history.begin(MeasuringSession.from_json(data))
        return
    measurement = Measurement.from_json(data)
    if "network" in data:
        history.networks[measurement.subject] = from_json(data["network"])
        if data.get("role") == "judging":
            history.hold_out.add(measurement.subject)
    history.measurements.append(measurement)


def _appending(path: Path) -> TextIO:
    try:
        return path.open("a", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None


def _drop_torn_line(path: Path) -> None:
    if not path.exists():
        return
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(data.rfind(b"\n") + 1)


def journal_path(table: Path) -> Path:
    return table.with_suffix(".journal.jsonl")


def new_session(device: Device, setting: Setting, recipe: Recipe, basis: Basis = "alone") -> MeasuringSession:
    """The head of a session that starts now."""
    identity, versions = dict(device.identity()), dict(device.versions())
    return MeasuringSession(setting, identity, versions, recipe, REFERENCE, utc_now(), basis=basis)


def utc_now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def check_same_machine(history: History, device: Device, setting: Setting) -> None:
    """Raises TableError where a journal belongs to another setting or machine."""
    for session in history.sessions:
        if session.setting != setting:
            raise TableError(
                f"this journal holds {session.setting.device} {session.setting}, "
                f"not {setting.device} {setting}; one table holds one setting: choose another --table"
            )
        if dict(session.identity) != dict(device.identity()):
            raise TableError("this journal was written on another machine; choose another --table")
