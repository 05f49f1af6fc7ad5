"""Algorithms: how a population makes and keeps its members."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..space import Space
from .mutation import Mutate, PaperMutation, StepMutation


@dataclass(frozen=True)
class Algorithm:
    """A way to evolve: what a mutation is, which share of the children has two parents, whether a network
    may be in an island's population twice, into how many islands a search is split, and how many members
    each has, unless it is told otherwise."""

    name: str
    mutation: Callable[[Space], Mutate]
    crossover: float
    distinct: bool
    islands: int
    members: int


ALGORITHMS = {
    algorithm.name: algorithm
    for algorithm in (
        Algorithm("steps", StepMutation, crossover=0.1, distinct=True, islands=4, members=16),
        Algorithm("paper", PaperMutation, crossover=0.0, distinct=False, islands=1, members=256),
    )
}
DEFAULT_ALGORITHM = "steps"
