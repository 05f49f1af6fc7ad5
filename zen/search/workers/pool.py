"""WorkerPool: workers elsewhere, each with its share of the islands, replaced when they are lost.

Whoever runs an island, what it finds follows from its state. So the islands of a lost worker go on from
the last states, in a new worker, and the search finds what it would have found without the loss.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from ....errors import ZenbenchError
from ..island import IslandState
from ..population import Member
from ..task import SearchTask

MOST_LOSSES = 3
"""An epoch that loses workers so many times in a row would lose them again."""

DEADLINE_SECONDS = 300.0
"""An epoch lasts a fraction of a second: a worker that is silent for so long hangs."""


class LostWorker(Exception):  # noqa: N818 - not an error: the work goes on elsewhere
    """A worker that died or hangs; the text says which."""


class WorkerPoolLost(ZenbenchError):  # noqa: N818
    """Workers that are lost again and again."""


class Worker(Protocol):
    """Where a share of the islands lives. `begin` and `finish` may raise LostWorker."""

    def begin(
        self, states: Sequence[IslandState], migrants: Sequence[Sequence[Member]], until: Sequence[int]
    ) -> None:
        """Starts an epoch as `LocalWorkers.advance` does, and returns at once."""
        ...

    def finish(self) -> Sequence[IslandState]:
        """The states at the epoch's end; an exception of the work itself is raised as it was there."""
        ...

    def stop(self) -> None:
        """Ends the worker at once, whatever it does."""
        ...


class WorkerPool(ABC):
    """`count` workers, at most one an island, that advance side by side."""

    def __init__(self, task: SearchTask, count: int) -> None:
        count = min(count, task.islands)
        self._shares = [range(task.islands)[first::count] for first in range(count)]
        self._workers: dict[range, Worker] = {}

    @abstractmethod
    def start_worker(self, share: range) -> Worker:
        """A new worker for the islands of these indices."""

    def advance(
        self, states: Sequence[IslandState], migrants: Sequence[Sequence[Member]], until: Sequence[int]
    ) -> Sequence[IslandState]:
        advanced: dict[int, IslandState] = {}
        waiting, reason = self._shares, ""
        for _ in range(MOST_LOSSES):
            fresh = [share for share in waiting if share not in self._workers]
            for share in fresh:
                self._workers[share] = self.start_worker(share)
            lost: dict[range, str] = {}
            for share in waiting:
                try:
                    self._workers[share].begin(
                        [states[index] for index in share] if share in fresh else (),
                        [migrants[index] for index in share],
                        [until[index] for index in share],
                    )
                except LostWorker as loss:
                    lost[share] = str(loss)
            for share in waiting:
                if share in lost:
                    continue
                try:
                    advanced.update(zip(share, self._workers[share].finish(), strict=True))
                except LostWorker as loss:
                    lost[share] = str(loss)
            if not lost:
                return [advanced[index] for index in range(len(states))]
            for share in lost:
                self._workers.pop(share).stop()
            waiting, reason = list(lost), next(iter(lost.values()))
        raise WorkerPoolLost(
            f"workers of the search were lost {MOST_LOSSES} times in a row (the last {reason}); run it again "
            "to go on from its last state, with fewer workers if memory was short"
        )

    def close(self) -> None:
        while self._workers:
            self._workers.popitem()[1].stop()
