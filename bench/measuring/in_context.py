"""Rows of units from what was timed: a unit between its ends, less half of each of the ends alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import hypot, sqrt

from ...errors import NetworkError, TableError
from ...latency_tables.row import VERDICTS, Basis, Row
from ...zen.workload import Workload
from .aggregation import NOISY_SPREAD, rounds_by_subject, row_of, rows_of, usual_clock_ms
from .contexts import ends_of
from .journal import History
from .measurement import Measurement
from .subjects import alone_key, is_alone_key, is_workload_key, workload_key

_SHARE = 0.5
"""Of the ends, what counts to the unit on either side of them."""
_LEAST = 0.01
"""Readings repeat themselves to about this share of what is read."""


class UnitRows:
    """What was timed, by subject, and the row of a unit from that."""

    def __init__(self, rows: Mapping[str, Row], basis: Basis = "in-context") -> None:
        self._rows, self._basis = dict(rows), basis

    @staticmethod
    def of(history: History) -> UnitRows:
        return UnitRows(rows_of(history)[0], history.basis)

    def see(self, measurements: Sequence[Measurement]) -> None:
        """Further rounds, all of their subjects."""
        groups = rounds_by_subject([measurements])
        clock_ms = usual_clock_ms(groups)
        self._rows |= {subject: row_of(rounds, clock_ms) for subject, rounds in groups.items()}

    def in_context(self, workload: Workload) -> Row | None:
        """None where something of it was not timed, or it takes no longer than its standard error."""
        whole = self._rows.get(str(workload))
        if self._basis == "alone":
            return whole
        ends = [self._rows.get(one.key) for one in ends_of(workload)]
        if whole is None or None in ends:
            return None
        return difference(whole, [row for row in ends if row is not None])

    def is_lost(self, workload: Workload) -> bool:
        """Whether all was timed, and the unit is too quick to be told from its ends."""
        keys = [str(workload), *(one.key for one in ends_of(workload))]
        return all(key in self._rows for key in keys) and self.in_context(workload) is None

    def units(self) -> dict[Workload, Row]:
        """The row of every unit: in its context, else alone."""
        found: dict[Workload, Row] = {}
        for workload in _workloads(self._rows):
            # What was timed alone could not be timed otherwise, or not to its end.
            alone = self._rows.get(alone_key(str(workload)))
            row = self.in_context(workload) if alone is None else replace(alone, basis="alone")
            if row is not None:
                found[workload] = row
        return found


def known_workloads(history: History) -> list[Workload]:
    """The workloads that a journal has anything of, failures too, in the order in which they were begun."""
    return _workloads(one.subject for one in history.measurements)


def _workloads(subjects: Iterable[str]) -> list[Workload]:
    keys = (workload_key(key) for key in subjects if is_workload_key(key) or is_alone_key(key))
    return [_workload(key) for key in dict.fromkeys(keys)]


def _workload(key: str) -> Workload:
    try:
        return Workload.parse(key)
    except NetworkError:
        raise TableError(
            f"the journal holds measurements of '{key}', which is no workload; delete their lines to keep "
            "the rest"
        ) from None


def difference(whole: Row, ends: Sequence[Row]) -> Row | None:
    """The row of what a context holds beside its ends; None where that is less than its standard error, which
    holds those of all that was timed, or than _LEAST of the whole."""

    def less_ends(ms: float, of_ends: Iterable[float]) -> float:
        return ms - _SHARE * sum(of_ends)

    latency_ms = less_ends(whole.latency_ms, (row.latency_ms for row in ends))
    std_ms = hypot(whole.std_ms, *(_SHARE * row.std_ms for row in ends))
    if latency_ms <= max(std_ms, _LEAST * whole.latency_ms):
        return None
    median_ms = less_ends(whole.median_ms, (row.median_ms for row in ends))
    cold = [row.cold_ms for row in (whole, *ends)]
    told = [ms for ms in cold if ms is not None]
    cold_ms = None
    if len(told) == len(cold):
        cold_ms = max(less_ends(told[0], told[1:]), latency_ms)  # colder is never faster
    spread = std_ms * sqrt(whole.rounds) / (Row.STD_OF_MEDIAN * latency_ms)
    verdicts = [row.verdict for row in (whole, *ends)] + ["noisy"] * (spread > NOISY_SPREAD)
    return replace(
        whole,
        latency_ms=latency_ms,
        median_ms=median_ms if median_ms > 0 else latency_ms,
        spread=spread,
        verdict=max(verdicts, key=VERDICTS.index),
        cold_ms=cold_ms,
    )
