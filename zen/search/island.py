"""Island: one population that evolves under budgets, with random numbers of its own.

Algorithm 1 of Zen-NAS (arXiv 2102.01063): a uniformly random parent is mutated; a child that breaks a
budget is rejected, any other is scored and joins the population, and the worst leaves.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from ...errors import NetworkError
from ..blocks import Block
from ..network import parse_blocks
from .algorithm import ALGORITHMS
from .bands import BestOfBands
from .block_cache import Genome
from .evaluator import Evaluator
from .front import ELITES, Ladder, ascending, axis_value, levels
from .population import Fittest, Living, Member, Population
from .task import SearchTask

PATIENCE = 200_000
"""So many proposals rejected in a row end a search: the budget leaves nothing new to find."""

MOST_PROPOSALS = 100_000
"""So many proposals end an epoch before its evaluations, so that it never lasts long."""


@dataclass
class IslandState:
    """All that an island is: members in the order of its population, and the state of its random numbers.

    `varied`: the best that it met in every band of depth and width; none where it evolves a front.
    `history`: (evaluated, best score) whenever that changed: it falls where a latency model was replaced.
    """

    members: list[Member]
    random_state: tuple[Any, ...]
    evaluated: int = 1
    turned_away: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    history: list[tuple[int, float]] = field(default_factory=list)
    varied: list[Member] = field(default_factory=list)

    def best(self, count: int) -> list[Member]:
        """The best members, best first."""
        return sorted(self.members, key=lambda member: (-member[0], member[1]))[:count]

    def front(self) -> list[Member]:
        """Of the members of a front, which stand in the order of their cost, those not dominated."""
        return ascending(self.members)

    @property
    def stuck(self) -> bool:
        return self.turned_away >= PATIENCE

    def to_json(self) -> dict[str, Any]:
        version, numbers, gauss = self.random_state
        return {
            "members": [_record(member) for member in self.members],
            "varied": [_record(member) for member in self.varied],
            "random_state": [version, list(numbers), gauss],
            "evaluated": self.evaluated,
            "turned_away": self.turned_away,
            "rejected": self.rejected,
            "history": self.history,
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> IslandState:
        """Raises KeyError, TypeError, ValueError or NetworkError where the data is no island's."""
        version, numbers, gauss = data["random_state"]
        random.Random().setstate((version, tuple(numbers), gauss))  # refuses what is no state
        state = IslandState(
            members=[_member(record) for record in data["members"]],
            varied=[_member(record) for record in data["varied"]],
            random_state=(version, tuple(numbers), gauss),
            evaluated=int(data["evaluated"]),
            turned_away=int(data["turned_away"]),
            rejected={name: int(count) for name, count in dict(data["rejected"]).items()},
            history=[(int(evaluated), float(score)) for evaluated, score in data["history"]],
        )
        if not state.members or not state.history:
            raise ValueError("an island has members")
        scores = [member[0] for member in state.members] + [score for _, score in state.history]
        if not all(map(isfinite, scores)):
            raise ValueError("a score is a finite number")
        return state


def _record(member: Member) -> list[Any]:
    score, born, blocks = member
    return [score, born, "".join(map(str, blocks))]


def _member(record: Sequence[Any]) -> Member:
    score, born, text = record
    return float(score), int(born), tuple(block for block in parse_blocks(text) if isinstance(block, Block))


def _members(living: Iterable[Living]) -> list[Member]:
    return [(score, born, tuple(cached.block for cached in genome)) for score, born, genome in living]


class Island:
    """A living island; made from a state, and gives one back."""

    def __init__(self, task: SearchTask, index: int, state: IslandState, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self._task, self._index = task, index
        self._rng = random.Random()
        self._rng.setstate(state.random_state)
        self._evaluated, self._turned_away = state.evaluated, state.turned_away
        self._rejected = Counter(state.rejected)
        self._history = list(state.history)
        self._population = self._populated(state.members)
        self._varied = BestOfBands(self._living(state.varied))

    def state(self) -> IslandState:
        return IslandState(
            members=_members(self._population.members()),
            varied=_members(self._varied.members()),
            random_state=self._rng.getstate(),
            evaluated=self._evaluated,
            turned_away=self._turned_away,
            rejected=dict(self._rejected),
            history=list(self._history),
        )

    def advance(self, until: int) -> None:
        """Evolves until so many candidates are scored, nothing new turns up, or MOST_PROPOSALS are made."""
        evaluator, population, rejected = self.evaluator, self._population, self._rejected
        distinct = ALGORITHMS[self._task.algorithm].distinct
        for _ in range(MOST_PROPOSALS):
            if self._evaluated >= until or self._turned_away >= PATIENCE:
                break
            child = population.propose(evaluator.cache, self._rng)
            if distinct and child in population:
                self._turned_away += 1
                continue
            broken = evaluator.broken_by(child)
            if broken is None:
                try:
                    score = evaluator.score(child)
                except NetworkError:  # too narrow or too deep for the closed form to hold
                    broken = "score"
            if broken is not None:
                rejected[broken] += 1
                self._turned_away += 1
                continue
            self._turned_away = 0
            self._evaluated += 1
            self._join(score, self._evaluated * self._task.islands + self._index, child)

    def settle(self, migrants: Iterable[Member]) -> None:
        """Takes in members of another island, those that it has already left out."""
        for score, born, blocks in migrants:
            genome = self.evaluator.genome(blocks)
            if genome not in self._population:
                self._join(score, born, genome)

    def renew(self) -> None:
        """Takes its members' blocks from the evaluator's cache again, after it was emptied."""
        state = self.state()
        self._population = self._populated(state.members)
        self._varied = BestOfBands(self._living(state.varied))

    def _living(self, members: Iterable[Member]) -> list[Living]:
        return [(score, born, self.evaluator.genome(blocks)) for score, born, blocks in members]

    def _populated(self, members: Iterable[Member]) -> Population:
        task, evaluator, living = self._task, self.evaluator, self._living(members)
        algorithm = ALGORITHMS[task.algorithm]
        breeding = algorithm.mutation(task.space), algorithm.crossover
        if task.front is None:
            return Fittest(living, -(-task.members // task.islands), *breeding)
        limits = levels(task.front, task.space, evaluator, max(1, task.members // ELITES))
        return Ladder(living, limits, axis_value(task.front, evaluator), *breeding)

    def _join(self, score: float, born: int, genome: Genome) -> None:
        self._population.join(score, born, genome)
        if self._task.front is None:
            self._varied.join(score, born, genome)
        if score > self._history[-1][1]:
            self._history.append((self._evaluated, score))
