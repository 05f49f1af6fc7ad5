"""A search's run directory: its lock, its state while it runs, and where an interrupted one goes on.

The state stays until the finalists are scored again, beside the results that are known before that: a run
is unfinished while it has a state.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any

from filelock import FileLock, Timeout

from ...atomic import make_folder, write_text
from ...errors import NetworkError, UserError
from ...zen.search.run import SearchState

STATE = "search.json"
RESULT = "result.json"
SAVE_EVERY_SECONDS = 3.0
FORMAT = "zenbench-search/1"
TRAINING = "training.json"
"""What a training leaves, whose history.csv is another one."""
RUNS = Path("runs")


class SearchFolder:
    """One search's run directory, taken; `task` is its task's record."""

    def __init__(self, path: Path, task: dict[str, Any]) -> None:
        self.path, self._task = path, task
        self._saved = monotonic()

    def read_state(self) -> SearchState | None:
        """Where the same search was interrupted; raises UserError where the folder holds another one."""
        file = self.path / STATE
        if not file.exists():
            return None
        try:
            data = json.loads(file.read_text("utf-8"))
            same, state = data["task"] == _plain(self._task), SearchState.from_json(data["state"])
            whole = data["format"] == FORMAT and len(state.islands) == data["task"]["islands"]
        except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError, NetworkError):
            whole = same = False
        if not whole:
            raise UserError(f"{file} holds no search that could go on; remove it or choose another --out")
        if not same:
            raise UserError(
                f"{self.path} holds another search, with other budgets, options or tables; "
                "choose another --out"
            )
        return state

    def save_state(self, state: SearchState, *, now: bool = False) -> None:
        """Writes where the search is, every few seconds or now."""
        if now or monotonic() - self._saved > SAVE_EVERY_SECONDS:
            data = {"format": FORMAT, "task": self._task, "state": state.to_json()}
            write_text(self.path / STATE, json.dumps(data, allow_nan=False))
            self._saved = monotonic()

    def finished(self) -> None:
        """Nothing is left to do: the same search would be a new one."""
        (self.path / STATE).unlink(missing_ok=True)


@contextmanager
def take_folder(out: Path | None, name: str, task: dict[str, Any]) -> Iterator[SearchFolder]:
    """The folder to search in: the asked one, else that of the same search interrupted, else a new one.

    Raises UserError where it holds a finished search or a training, or another process searches in it.
    """
    folder = out or _interrupted(task) or RUNS / f"{datetime.now():%Y%m%d-%H%M%S}-{name}"
    make_folder(folder)  # before the long work
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"another search is running in {folder}; choose another --out") from None
    try:
        # Asked with the lock held: another process may have ended here a moment ago.
        if (folder / TRAINING).exists():
            raise UserError(f"{folder} holds a training; choose another --out")
        if (folder / RESULT).exists() and not (folder / STATE).exists():
            raise UserError(f"{folder} holds a result already; choose another --out")
        yield SearchFolder(folder, task)
    finally:
        # First, for once it is released another process may hold it.
        (folder / ".lock").unlink(missing_ok=True)
        lock.release()


def _interrupted(task: dict[str, Any]) -> Path | None:
    """The newest run directory that the same search left unfinished."""
    for file in sorted(RUNS.glob(f"*/{STATE}"), reverse=True):
        try:
            data = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(data, dict) and data.get("task") == _plain(task):
            return file.parent
    return None


def _plain(task: dict[str, Any]) -> Any:
    """The record as a file gives it back."""
    return json.loads(json.dumps(task))
