"""The verdict on a search's budget: what its winner takes, measured where it was, else predicted."""

from __future__ import annotations

from dataclasses import dataclass

from ...quantities import format_ms
from ...zen.latency import Estimate
from .standing import Standing


@dataclass(frozen=True)
class LimitVerdict:
    """Whether a network holds one latency limit. `why`: why it was not measured; None where it was."""

    name: str
    limit_ms: float
    predicted: Estimate
    measured: Standing | None
    why: str | None = None

    @property
    def is_within(self) -> bool:
        if self.measured is None:
            return self.predicted.ms <= self.limit_ms
        return self.measured.is_within

    def __str__(self) -> str:
        limit = format_ms(self.limit_ms)
        if self.measured is None:
            predicted = f"{format_ms(self.predicted.ms)} +- {format_ms(self.predicted.std_ms)} of {limit}"
            return f"within budget as predicted: {predicted}; not measured: {self.why}"
        count = len(self.measured.loads_ms)
        loads = f"median of {count} loads" if count > 1 else "one load"
        said = f"measured {format_ms(self.measured.ms)} of {limit} ({loads})"
        if self.is_within:
            return f"within budget: {said}"
        over = self.measured.ms / self.limit_ms - 1
        if over > 0:
            return f"budget missed by {over:.1%}: {said}"
        return f"too close or too few loads to tell, give more --measure-time: {said}"
