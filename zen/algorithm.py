"""Algorithms: how a population makes and keeps its members."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .mutation import Mutate, PaperMutation, StepMutation
from .space import Space


@dataclass(frozen=True)
class Algorithm:
    """A way to evolve: what a mutation is, and whether a network may be in the population twice."""

    name: str
    mutation: Callable[[Space], Mutate]
    distinct: bool


ALGORITHMS = {
    algorithm.name: algorithm
    for algorithm in (
        Algorithm("steps", StepMutation, distinct=True),
        Algorithm("paper", PaperMutation, distinct=False),
    )
}
DEFAULT_ALGORITHM = "steps"
