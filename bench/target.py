"""Target: how true a profile's predictions shall be before it ends by itself."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev

from ..latency_tables.fill_in import MIN_ROWS
from ..latency_tables.model import TableModel
from ..latency_tables.table import LatencyTable
from .journal import History
from .profiling import build_table
from .subjects import is_network_key

LEAST_JUDGES = 8
_ONE_SIDED_95 = 1.645
_GROWTH = 0.1
"""A table is judged again when it has grown by this share: a verdict takes a second."""


@dataclass(frozen=True)
class Verdict:
    """The mean absolute relative error over `judges` networks that nothing was learned from, and the bound
    that it stays below with 95 % confidence, by the spread of the errors."""

    mape: float
    bound: float
    judges: int


def verdict(table: LatencyTable) -> Verdict | None:
    """Of a table on its own judges; None where it has too few, or too few rows to predict from."""
    if len(table.judges) < LEAST_JUDGES or len(table.rows) < MIN_ROWS:
        return None
    model = TableModel(table)
    sizes = [abs(model.estimate(network).ms / row.latency_ms - 1) for network, row in table.judges.items()]
    mape = mean(sizes)
    return Verdict(mape, mape + _ONE_SIDED_95 * stdev(sizes) / sqrt(len(sizes)), len(sizes))


class Target:
    """Whether a growing history predicts its judges well enough.

    The bound has to be met, not the mean: a profile that looks again and again would else stop at the first
    lucky mean.
    """

    def __init__(self, error: float) -> None:
        self.error = error
        self._judged_at = 0

    def met(self, history: History) -> bool:
        known = len({one.subject for one in history.measurements if not is_network_key(one.subject)})
        if known < (1 + _GROWTH) * self._judged_at or known < MIN_ROWS:
            return False
        self._judged_at = known
        found = verdict(build_table(history))
        return found is not None and found.bound <= self.error
