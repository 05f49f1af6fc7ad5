"""Row: how long one workload or network takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ..quantities import LONGEST_MS, SHORTEST_MS

_WIDEST, _MOST_RUNS = 1e6, 10**9

Verdict = Literal["quiet", "noisy", "throttled"]


Role = Literal["calibrating", "judging"]
"""What a whole network in a table is for: to be learned from, or never."""


@dataclass(frozen=True, slots=True)
class Row:
    """How long something takes for one run of the setting's batch.

    `latency_ms`: median over rounds of the ratio to the reference workload, times the reference's own
    median over the table, so that a clock that drifts does not matter. `median_ms`: the plain median of
    rounds. `spread`: relative standard deviation of a round's ratio, from quartiles.
    """

    latency_ms: float
    median_ms: float
    spread: float
    rounds: int
    runs: int
    verdict: Verdict

    @property
    def is_possible(self) -> bool:
        """Whether every number is one that a device can have."""
        times, counts = (self.latency_ms, self.median_ms), (self.rounds, self.runs)
        return (
            all(SHORTEST_MS <= ms <= LONGEST_MS for ms in times)
            and 0 <= self.spread <= _WIDEST
            and all(1 <= count <= _MOST_RUNS for count in counts)
        )

    @property
    def std_ms(self) -> float:
        """Standard error of `latency_ms`: that of a median of `rounds` values."""
        return 1.253 * self.spread * self.latency_ms / math.sqrt(self.rounds)
