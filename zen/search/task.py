"""Task: all that fixes what a search finds."""

from __future__ import annotations

from dataclasses import dataclass

from ..proxies.base import Reading
from ..space import Space
from .algorithm import ALGORITHMS, DEFAULT_ALGORITHM
from .budget import Budget
from .front import MEMBERS, Axis


@dataclass(frozen=True)
class SearchTask:
    """Where to search, within what, how long and how: two equal tasks give the same result anywhere.

    `evaluations` and `population` are those of all islands together; no population is the algorithm's own.
    With a `front` not one network is searched but the best score at every value of that axis; `population`
    is then that of every island.
    """

    space: Space
    resolution: int
    classes: int
    budget: Budget
    evaluations: int = 96_000
    population: int | None = None
    seed: int = 0
    reading: Reading = "paper"
    algorithm: str = DEFAULT_ALGORITHM
    islands: int = ALGORITHMS[DEFAULT_ALGORITHM].islands
    front: Axis | None = None

    @property
    def members(self) -> int:
        """The population, whoever said it."""
        own = self.islands * ALGORITHMS[self.algorithm].members if self.front is None else MEMBERS
        return self.population or own
