"""A run's verdict: the one sentence at the top of its report."""

from __future__ import annotations

from ...quantities import count_of, format_ms
from ..charts.wording import percent
from ..comparing.agreement import Agreement
from ..comparing.intervals import LEAST
from ..searching.reading import Search
from .facts import Facts

HOLD, MOSTLY_HOLD = 0.95, 0.8
"""Shares of networks within 10 % from which predictions are said to hold, and mostly to hold."""


def verdict(facts: Facts) -> str:
    """What the run shows: whether predictions hold if it was measured, else what was found, else profiled."""
    if facts.agreement is not None:
        return _of_agreement(facts.agreement)
    if facts.search is not None:
        return _of_search(facts.search, facts.has_measured)
    rows = [row for one in facts.tables for row in one.table.rows.values()]
    if rows:
        noisy = sum(row.verdict != "quiet" for row in rows)
        return (
            f"{count_of(len(rows), 'workload')} profiled, {noisy} of them not quiet; no prediction was "
            "put to the test."
        )
    return "Nothing was compared yet: tables, measurements or predictions stand here alone."


def _of_agreement(agreement: Agreement) -> str:
    share, reach = agreement.within_10, agreement.intervals.within_10
    word = "hold" if share >= HOLD else "mostly hold" if share >= MOSTLY_HOLD else "do not hold"
    said = f"Predictions {word}"
    if agreement.count < LEAST:
        said = "Too few networks to tell whether predictions hold"
    networks = "the one network" if agreement.count == 1 else count_of(agreement.count, "network")
    ceiling = agreement.noise_ceiling
    noise = "" if ceiling is None else f"; measuring again differs by {percent(ceiling)}"
    surely = f"95\u00a0% confidence: {percent(reach.low, 0)} to {percent(reach.high, 0)}"
    return (
        f"{said}: off by {percent(agreement.mape)} on average over {networks}, {percent(share, 0)} within "
        f"{percent(0.1, 0)} ({surely}){noise}."
    )


def _of_search(search: Search, measured: bool) -> str:
    score = f"{search.score_forward:.1f} by forward passes"
    if not search.latencies:
        return f"The search found a network of Zen-Score {score}; its latency was not asked for."
    first = search.latencies[0]
    state = "no measurement is held against a prediction" if measured else "it was not measured yet"
    return (
        f"The search found a network of Zen-Score {score}, predicted at {format_ms(first.latency_ms)} of "
        f"{format_ms(first.limit_ms)} allowed on {first.device}; {state}."
    )
