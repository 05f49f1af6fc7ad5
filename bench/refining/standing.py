"""Standing: how a measured network holds the latency limits of a search, and which one wins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import median, stdev

from ...latency_tables.corrected import LOAD_STD
from ...latency_tables.row import Row
from ...zen.latency import Estimate
from ...zen.search.evaluator import Candidate
from ..searching.winner import winner_of

CONFIRMING_LOADS = 4
"""So many loads of a network confirm it."""
ACCEPTED = 0.97
"""Of a limit, what the median of a confirmed network's loads and its standard error may take. The winner of
a search is the luckiest of some that were measured, and another process finds the machine otherwise.
Simulated (`benchmarks/search/accepted_share.py`), with loads that deviate by 1.2 % and processes by 2 %, 0.2
% of winners take more than 1.02 of the limit later; with 0.98 it is 0.9 %, with 1.0 it is 8 %."""


@dataclass(frozen=True)
class Standing:
    """Latency of one network on the device of one limit: the median of its loads, with its standard error."""

    limit_ms: float
    loads_ms: Sequence[float]

    @property
    def ms(self) -> float:
        return median(self.loads_ms)

    @property
    def std_ms(self) -> float:
        count = len(self.loads_ms)
        seen = stdev(self.loads_ms) if count > 1 else 0.0
        return Row.STD_OF_MEDIAN * max(seen, LOAD_STD * self.ms) / sqrt(count)

    @property
    def share(self) -> float:
        """Of the limit, with the standard error."""
        return (self.ms + self.std_ms) / self.limit_ms

    @property
    def is_within(self) -> bool:
        """Whether it holds the limit, if not with the room that a confirmed one has."""
        return self.share <= 1 and len(self.loads_ms) >= CONFIRMING_LOADS


@dataclass(frozen=True)
class Finalist:
    """A network that was measured: when, what was predicted before, and how it stands; both by limit.

    `corrected_by`: so many networks, measured in earlier rounds, had corrected the tables by then.
    """

    candidate: Candidate
    round: int
    predicted: Mapping[str, Estimate]
    standings: Mapping[str, Standing]
    error: str | None = None
    corrected_by: int = 0

    @property
    def relative_errors(self) -> list[float]:
        """Of its predictions."""
        return [self.predicted[name].ms / one.ms - 1 for name, one in self.standings.items()]

    @property
    def share(self) -> float:
        """Of the limit that it comes nearest to, or exceeds most."""
        if self.error is not None or not self.standings:
            return inf
        return max(standing.share for standing in self.standings.values())

    @property
    def loads(self) -> int:
        return min((len(one.loads_ms) for one in self.standings.values()), default=0)

    @property
    def is_promising(self) -> bool:
        """Whether it is within the limits as far as it was loaded."""
        return self.share <= ACCEPTED

    @property
    def is_confirmed(self) -> bool:
        return self.is_promising and self.loads >= CONFIRMING_LOADS


def winner(finalists: Iterable[Finalist]) -> Finalist | None:
    """Of the confirmed ones the best by closed form; of equal ones that with most room to its limits."""
    confirmed = {one.candidate: one for one in finalists if one.is_confirmed}
    best = winner_of(list(confirmed), lambda candidate: confirmed[candidate].share)
    return confirmed[best] if best is not None else None


def nearest(finalists: Iterable[Finalist]) -> Finalist | None:
    """What is best to go by where none is confirmed: the one that scores most within its limits, as far as it
    was loaded, or else the one that exceeds them least."""
    measured = [one for one in finalists if one.share < inf]
    within = [one for one in measured if one.share <= 1]
    if within:
        return max(within, key=lambda one: (one.candidate.score, one.candidate.network.digest))
    return min(measured, key=lambda one: one.share, default=None)
