"""Row: how long one workload or network takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from ..quantities import LONGEST_MS, SHORTEST_MS

_WIDEST, _MOST_RUNS = 1e6, 10**9

Verdict = Literal["quiet", "noisy", "throttled"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""The worst last."""

Basis = Literal["in-context", "alone"]
"""How a workload was timed: as its network runs it, between cheap convolutions that are subtracted, or as a
graph of its own."""


Role = Literal["calibrating", "judging", "searched"]
"""What a whole network in a journal is for: to be learned from, or never. `searched` ones are learned from,
and were chosen by a search under the same table."""


@dataclass(frozen=True, slots=True)
class Row:
    """How long something takes for one run of the setting's batch.

    `latency_ms`: while nothing else runs, a slower clock divided out (see `bench/measuring/aggregation.py`).
    `median_ms`: the plain median of rounds. `spread`: relative standard deviation of a round, from quartiles.
    `cold_ms`: as `latency_ms`, where other data has gone through the caches since the last run; None where
    that was not measured. `basis`: how a workload was timed, where not as the rest of its table.
    """

    STD_OF_MEDIAN: ClassVar[float] = 1.253
    """Standard error of a median of normal values, over that of their mean."""

    latency_ms: float
    median_ms: float
    spread: float
    rounds: int
    runs: int
    verdict: Verdict
    cold_ms: float | None = None
    basis: Basis | None = None

    @property
    def is_possible(self) -> bool:
        """Whether every number is one that a device can have."""
        cold_ms = self.latency_ms if self.cold_ms is None else self.cold_ms
        times, counts = (self.latency_ms, self.median_ms, cold_ms), (self.rounds, self.runs)
        return (
            all(SHORTEST_MS <= ms <= LONGEST_MS for ms in times)
            and cold_ms >= self.latency_ms
            and 0 <= self.spread <= _WIDEST
            and all(1 <= count <= _MOST_RUNS for count in counts)
        )

    @property
    def std_ms(self) -> float:
        """Standard error of `latency_ms`: that of a median of `rounds` values."""
        return self.STD_OF_MEDIAN * self.spread * self.latency_ms / math.sqrt(self.rounds)
