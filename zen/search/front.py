"""Fronts: the score against one budget, from one search.

A front is a ladder of levels, each a limit on the axis with the few networks that score most within it:
so many plain searches that share what they find, for a cheap network that scores more than the members of
a dearer level is a member there, too. Parents are drawn uniformly over levels, so that every part of the
front evolves alike. docs/search_front.md holds this against separate searches and NSGA-II.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, get_args

from ...errors import UserError
from ..space import Space
from .block_cache import BlockCache, Genome
from .budget import Budget
from .crossover import child
from .evaluator import Candidate, Evaluator
from .mutation import Mutate
from .population import Living, Member

Axis = Literal["latency", "macs", "params"]
AXES: tuple[Axis, ...] = get_args(Axis)

SPAN = 16
"""A front reaches from its limit down to this part of it, or to the smallest network of the space."""

POINTS = 12
"""Networks of a front that are scored again and shown."""

MEMBERS = 256
"""Of every island's front."""

ELITES = 2
"""Members of a level: its neighbours on the ladder are what keeps it diverse."""


def axis_limit(axis: Axis, budget: Budget) -> float:
    """Where a front ends: the budget's limit on its axis, the first one of several latencies.

    Raises UserError where there is none.
    """
    limits = [limit.limit_ms for limit in budget.latencies] if axis == "latency" else [getattr(budget, axis)]
    if not limits or limits[0] is None:
        raise UserError(f"a front along {axis} needs the limit where it ends: give --{axis}")
    return float(limits[0])


def axis_value(axis: Axis, evaluator: Evaluator) -> Callable[[Genome], float]:
    """What that limit holds for: a count, or a latency with the margin that its confidence asks for."""
    if axis == "latency":
        margin = evaluator.budget.latencies[0].margin

        def latency(genome: Genome) -> float:
            estimate = evaluator.estimates(genome)[0]
            return estimate.ms + margin * estimate.std_ms

        return latency
    return lambda genome: float(getattr(evaluator.cost(genome), axis))


def cost_along(axis: Axis, budget: Budget, candidate: Candidate) -> float:
    """The same of a candidate."""
    if axis == "latency":
        estimate = candidate.estimates[0]
        return estimate.ms + budget.latencies[0].margin * estimate.std_ms
    return float(getattr(candidate.cost, axis))


def levels(axis: Axis, space: Space, evaluator: Evaluator, count: int) -> list[float]:
    """Limits in equal ratios, the budget's own as the last."""
    most = axis_limit(axis, evaluator.budget)
    smallest = evaluator.genome(space.smallest(evaluator.resolution, evaluator.budget.min_width or 0))
    least = min(most, max(most / SPAN, axis_value(axis, evaluator)(smallest)))
    return [least * (most / least) ** (index / (count - 1)) for index in range(count - 1)] + [most]


class Ladder:
    """The population of a front: levels from the cheapest to the dearest, and their members."""

    def __init__(
        self,
        members: Iterable[Living],
        limits: Sequence[float],
        value: Callable[[Genome], float],
        mutate: Mutate,
        crossover: float,
    ) -> None:
        self._limits, self._value = limits, value
        self._mutate, self._crossover = mutate, crossover
        # Of every level (score, -born, value, genome), the worst first: of equal scores the younger.
        self._levels: list[list[tuple[float, int, float, Genome]]] = [[] for _ in limits]
        self._lowest = len(limits)  # of those that have members: all above it have some, too
        self._known: Counter[Genome] = Counter()
        for member in members:
            self.join(*member)

    def propose(self, cache: BlockCache, rng: random.Random) -> Genome:
        return child(lambda: self._parent(rng.random), self._mutate, self._crossover, cache, rng)

    def join(self, score: float, born: int, genome: Genome) -> None:
        if genome in self._known:
            return
        value = self._value(genome)
        entry = (score, -born, value, genome)
        lowest = bisect_left(self._limits, value)
        self._lowest = min(self._lowest, lowest)
        for level in self._levels[lowest:]:
            if len(level) == ELITES:
                if entry < level[0]:
                    break  # and no dearer level takes it: their members score no less
                self._leave(level.pop(0)[3])
            insort(level, entry)
            self._known[genome] += 1

    def members(self) -> list[Living]:
        """From the cheapest to the dearest."""
        found = {entry[3]: entry for level in self._levels for entry in level}
        ordered = sorted(found.values(), key=lambda entry: (entry[2], -entry[0], -entry[1]))
        return [(score, -born, genome) for score, born, _, genome in ordered]

    def __contains__(self, genome: Genome) -> bool:
        return genome in self._known

    def _parent(self, draw: Callable[[], float]) -> Genome:
        level = self._levels[self._lowest + int(draw() * (len(self._levels) - self._lowest))]
        return level[int(draw() * len(level))][3]

    def _leave(self, genome: Genome) -> None:
        self._known[genome] -= 1
        if not self._known[genome]:
            del self._known[genome]


def ascending(members: Iterable[Member]) -> list[Member]:
    """Of members in the order of their cost those that score more than every cheaper one: their front."""
    found: list[Member] = []
    for member in members:
        if not found or member[0] > found[-1][0]:
            found.append(member)
    return found


def front_of(members: Sequence[Member], axis: Axis, evaluator: Evaluator) -> list[Member]:
    """The members that no other dominates, best (and dearest) first."""
    value = axis_value(axis, evaluator)
    values = {member[2]: value(evaluator.genome(member[2])) for member in members}
    ordered = sorted(members, key=lambda member: (values[member[2]], -member[0], member[1]))
    return ascending(ordered)[::-1]


def spread(best: Sequence[Candidate], axis: Axis, budget: Budget) -> list[Candidate]:
    """Of a front, best first, about POINTS at equal ratios of its axis, both ends among them."""
    ascending = best[::-1]
    costs = [cost_along(axis, budget, candidate) for candidate in ascending]
    ratio = costs[-1] / costs[0]
    goals = [costs[0] * ratio ** (index / (POINTS - 1)) for index in range(POINTS)]
    indices = {max(0, bisect_right(costs, goal) - 1) for goal in goals} | {len(costs) - 1}
    return [ascending[index] for index in sorted(indices, reverse=True)]
