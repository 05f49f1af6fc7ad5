"""Scores by forward passes, each on disk as soon as it is known: `rescored.jsonl` in a search's folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...zen.network import Network
from ...zen.search.evaluator import Candidate
from ...zen.search.rescoring import IMAGES, REPEATS, ForwardScore, rescore
from ...zen.search.task import SearchTask

RESCORED = "rescored.jsonl"


class ForwardScores:
    """The forward-pass scores that a run folder holds for a task.

    A line has a network's digest, all else that fixes its score, and the score. A line of another task, or a
    torn one, is passed over: its network is scored again.
    """

    def __init__(self, folder: Path, task: SearchTask) -> None:
        self._path, self._task = folder / RESCORED, task
        self._fixed_by = {"reading": task.reading, "seed": task.seed, "batch": IMAGES, "repeats": REPEATS}
        text = _text(self._path)
        self._is_torn = bool(text) and not text.endswith("\n")
        self._known = dict(filter(None, map(self._score, text.splitlines())))

    @property
    def seconds(self) -> float:
        """What all of them took."""
        return sum(score.seconds for score in self._known.values())

    def of(self, network: Network) -> ForwardScore | None:
        """A network's score, None where it is not known."""
        return self._known.get(network.digest)

    def missing(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """Those that have no score yet."""
        return [candidate for candidate in candidates if self.of(candidate.network) is None]

    def add(self, candidates: Sequence[Candidate], report: Callable[[int], None]) -> list[str]:
        """Scores one candidate after the other; the reasons of those that have no score.

        `report` is told how many are done, after each.
        """
        failures: list[str] = []
        for done, candidate in enumerate(candidates, 1):
            try:
                score = rescore(candidate.network, self._task)
            except UserError as error:  # too large for the memory, or not finite
                failures.append(str(error))
            else:
                self._keep(candidate.network.digest, score)
            report(done)
        return failures

    def _keep(self, digest: str, score: ForwardScore) -> None:
        values = {"score": score.value, "sem": score.sem, "seconds": score.seconds}
        line = json.dumps({"digest": digest, **self._fixed_by, **values}, allow_nan=False)
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write("\n" * self._is_torn + line + "\n")
        except OSError as error:
            raise UserError(f"{self._path} cannot be written: {error.strerror}") from None
        self._is_torn = False
        self._known[digest] = score

    def _score(self, line: str) -> tuple[str, ForwardScore] | None:
        """A line's digest and score, where it is whole and of this task."""
        try:
            data: dict[str, Any] = json.loads(line)
            fits = all(data[name] == value for name, value in self._fixed_by.items())
            digest, numbers = data["digest"], [float(data[name]) for name in ("score", "sem", "seconds")]
        except (ValueError, RecursionError, LookupError, TypeError, OverflowError):
            return None
        if not fits or not isinstance(digest, str) or not all(map(isfinite, numbers)):
            return None
        return digest, ForwardScore(*numbers)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace") if path.exists() else ""
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
