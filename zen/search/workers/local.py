"""Workers: who runs the islands of a search from one exchange to the next."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Protocol

from ..evaluator import Evaluator
from ..island import Island, IslandState
from ..population import Member
from ..task import SearchTask


class Workers(Protocol):
    """Who runs the islands of a task; a search closes them when it ends."""

    def advance(
        self, states: Sequence[IslandState], migrants: Sequence[Sequence[Member]], until: Sequence[int]
    ) -> Sequence[IslandState]:
        """Every island with its migrants taken in, advanced to its number of evaluations."""
        ...

    def close(self) -> None: ...


class LocalWorkers:
    """Islands one after the other, here: all of a task, or those of these indices.

    They are made from the states of the first call and live on; later calls need none.
    """

    def __init__(self, task: SearchTask, indices: Sequence[int] | None = None) -> None:
        self._task = task
        self._indices = range(task.islands) if indices is None else indices
        self._evaluator = Evaluator(task.resolution, task.classes, task.budget, task.reading)
        self._living: list[Island] = []
        self._pauses_collector = False

    def advance(
        self, states: Sequence[IslandState], migrants: Sequence[Sequence[Member]], until: Sequence[int]
    ) -> Sequence[IslandState]:
        if not self._living:
            # The collector of cycles would walk all blocks over and over, a fifth of the time, and find none.
            self._pauses_collector = gc.isenabled()
            gc.disable()
            self._living = [
                Island(self._task, index, state, self._evaluator)
                for index, state in zip(self._indices, states, strict=True)
            ]
        if self._evaluator.cache.full:
            self._evaluator.forget()
            for island in self._living:
                island.renew()
        for island, newcomers, goal in zip(self._living, migrants, until, strict=True):
            island.settle(newcomers)
            island.advance(goal)
        return [island.state() for island in self._living]

    def close(self) -> None:
        self._living = []
        self._evaluator.forget()
        if self._pauses_collector:
            gc.enable()
            self._pauses_collector = False
