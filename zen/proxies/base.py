"""What all proxies share: the readings of the Zen-Score, its perturbation, and a score with its spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Reading = Literal["paper", "running"]
READINGS: tuple[Reading, ...] = ("paper", "running")

GAMMA = 0.01
"""Size of the perturbation, alpha in Algorithm 1 of the paper."""


@dataclass(frozen=True, slots=True)
class Score:
    """A proxy's value: mean and sample standard deviation over the repeats, and the seconds they took.

    `std` is None for one repeat of a random proxy and 0 for an exact one.
    """

    proxy: str
    value: float
    std: float | None
    repeats: int
    seconds: float

    @property
    def sem(self) -> float | None:
        """Standard error of the mean."""
        return None if self.std is None else self.std / self.repeats**0.5
