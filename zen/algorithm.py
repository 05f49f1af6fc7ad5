"""Algorithms: how a population makes and keeps its members."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .mutation import Mutate, PaperMutation, StepMutation
from .space import Space


@dataclass(frozen=True)
class Algorithm:
    """A way to evolve: what a mutation is, whether a network may be in the population twice, and into how
    many islands the population is split."""

    name: str
    mutation: Callable[[Space], Mutate]
    distinct: bool
    islands: int


ALGORITHMS = {
    algorithm.name: algorithm
    for algorithm in (
        Algorithm("steps", StepMutation, distinct=True, islands=4),
        Algorithm("paper", PaperMutation, distinct=False, islands=1),
    )
}
DEFAULT_ALGORITHM = "steps"
