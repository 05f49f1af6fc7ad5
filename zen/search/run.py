"""Search: islands that evolve in step and exchange their best; seeded, resumable, the same anywhere.

One island is the plain search. Several take turns of EPOCH evaluations, each on its own, and then every
island gives its best members to the next one of a ring. Who runs them (one after the other here, in
processes, on other machines) is the affair of `Workers` and changes nothing in what they find.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from ..network import Network
from .bands import BestOfBands
from .evaluator import Candidate, Evaluator
from .front import front_of
from .island import PATIENCE, IslandState
from .population import Member
from .start import first_states, fitting_start
from .task import SearchTask
from .workers.local import LocalWorkers, Workers

EPOCH = 8_000
"""Evaluations of all islands together between two exchanges, and between two states."""
EMIGRANTS = 4


@dataclass(frozen=True)
class SearchState:
    """Where a search is: its islands, and the seconds that it took so far."""

    islands: Sequence[IslandState]
    seconds: float

    @property
    def evaluated(self) -> int:
        return sum(island.evaluated for island in self.islands)

    @property
    def rejected(self) -> Counter[str]:
        """Proposals by the budget that turned them away."""
        return sum((Counter(island.rejected) for island in self.islands), Counter())

    @property
    def history(self) -> list[tuple[int, float]]:
        """(evaluated, best score) at every change of the best over all islands, which go in step."""
        count = len(self.islands)
        events = sorted(
            (evaluated * count, index, score)
            for index, island in enumerate(self.islands)
            for evaluated, score in island.history
        )
        found: list[tuple[int, float]] = []
        best: dict[int, float] = {}
        for evaluated, index, score in events:
            best[index] = score
            highest = max(best.values())
            if not found or highest != found[-1][1]:
                found.append((evaluated, highest))
        return found

    def best(self, count: int) -> list[Member]:
        """The best distinct members of all islands, best first."""
        members = {member[2]: member for island in self.islands for member in island.best(count)}
        return sorted(members.values(), key=lambda member: (-member[0], member[1]))[:count]

    def members(self) -> list[Member]:
        """The distinct members of all islands."""
        return list({member[2]: member for island in self.islands for member in island.members}.values())

    def varied(self, evaluator: Evaluator) -> list[Member]:
        """The best of every band of depth and width over all islands, best first."""
        bands = BestOfBands(
            (score, born, evaluator.genome(blocks))
            for island in self.islands
            for score, born, blocks in island.varied
        )
        found = [
            (score, born, tuple(cached.block for cached in genome)) for score, born, genome in bands.members()
        ]
        return sorted(found, key=lambda member: (-member[0], member[1]))

    def to_json(self) -> dict[str, Any]:
        return {"islands": [island.to_json() for island in self.islands], "seconds": self.seconds}

    @staticmethod
    def from_json(data: dict[str, Any]) -> SearchState:
        islands = [IslandState.from_json(island) for island in data["islands"]]
        return SearchState(islands, float(data["seconds"]))


@dataclass(frozen=True)
class SearchResult:
    """`best`: the best candidate of every band of depth and width, best first; for a front all that no other
    dominates, which is from its limit down. `history`: (evaluated, best score) whenever that changed.

    `seconds` is the loop alone; `stopped` says why a search ended before its evaluations, if it did. `state`:
    from where it goes on.
    """

    best: Sequence[Candidate]
    state: SearchState
    evaluated: int
    rejected: Mapping[str, int]
    seconds: float
    history: Sequence[tuple[int, float]]
    start: Network
    stopped: str | None


def search(
    task: SearchTask,
    *,
    workers: Workers | None = None,
    state: SearchState | None = None,
    keep: int = 20,
    progress: Callable[[SearchState], None] = lambda state: None,
) -> SearchResult:
    """The best networks of a task, from its start or from where a state says that it was.

    `workers` are this search's own: it closes them. `keep` so many of the best, but a front whole.
    `progress` is told after every epoch. Raises UserError where no network of the space fits the budget, or
    nothing limits the axis of a front.
    """
    workers = workers or LocalWorkers(task)
    evaluator = Evaluator(task.resolution, task.classes, task.budget, task.reading)
    try:
        start = evaluator.network(fitting_start(task, evaluator))
        if state is None:
            state = SearchState(first_states(task, evaluator), 0.0)
        while not _finished(task, state):
            state = _next_epoch(task, state, workers)
            progress(state)
    finally:
        workers.close()
    stopped = None
    if state.evaluated < task.evaluations:
        stopped = f"{PATIENCE:,} proposals in a row were known or over budget"
    if task.front is None:
        best = state.varied(evaluator)[:keep]
    else:
        best = front_of(state.members(), task.front, evaluator)
    candidates = [evaluator.candidate(evaluator.genome(blocks), score) for score, _, blocks in best]
    evaluator.forget()
    return SearchResult(
        state=state,
        best=candidates,
        evaluated=state.evaluated,
        rejected=state.rejected,
        seconds=state.seconds,
        history=state.history,
        start=start,
        stopped=stopped,
    )


def rebudgeted(task: SearchTask, state: SearchState) -> SearchState:
    """Where a search goes on under another budget, as that of a corrected latency model: each island with
    those of its members that hold it, or with the best of a band that do; an island without any with those
    of the others; and all with the start, where none is left.

    Raises UserError where no network of the space fits the budget.
    """
    evaluator = Evaluator(task.resolution, task.classes, task.budget, task.reading)

    def fitting(members: Sequence[Member]) -> list[Member]:
        return [member for member in members if evaluator.broken_by(evaluator.genome(member[2])) is None]

    left = [(fitting(island.members), fitting(island.varied)) for island in state.islands]
    shared = list({member[2]: member for pair in left for members in pair for member in members}.values())
    if not shared:
        shared = first_states(task, evaluator)[0].members
    islands = []
    for island, (own, varied) in zip(state.islands, left, strict=True):
        members = own or varied or shared
        best = max(score for score, _, _ in members)
        history = island.history
        if best < history[-1][1]:
            history = [*history, (island.evaluated, best)]
        islands.append(
            replace(island, members=members, varied=varied or members, turned_away=0, history=history)
        )
    evaluator.forget()
    return SearchState(islands, state.seconds)


def _finished(task: SearchTask, state: SearchState) -> bool:
    goals = _goals(task)
    return all(
        island.stuck or island.evaluated >= goal for island, goal in zip(state.islands, goals, strict=True)
    )


def _next_epoch(task: SearchTask, state: SearchState, workers: Workers) -> SearchState:
    began = perf_counter()
    islands = state.islands
    # Follows from the states alone, so that a search that goes on exchanges the same members.
    leaving = [island.best(EMIGRANTS) if task.front is None else island.front() for island in islands]
    migrants = [leaving[index - 1] if len(islands) > 1 else [] for index in range(len(islands))]
    turn = max(1, EPOCH // task.islands)
    until = [
        min(goal, (island.evaluated // turn + 1) * turn)
        for island, goal in zip(islands, _goals(task), strict=True)
    ]
    advanced = workers.advance(islands, migrants, until)
    return SearchState(advanced, state.seconds + perf_counter() - began)


def _goals(task: SearchTask) -> list[int]:
    """The evaluations of every island, which differ by one at most."""
    return [(task.evaluations + index) // task.islands for index in range(task.islands)]
