"""A run's verdict: the one sentence at the top of its report."""

from __future__ import annotations

from ...units import format_ms
from ..agreement import Agreement
from .facts import Facts
from .search import Search
from .wording import percent

HOLD, MOSTLY_HOLD = 0.95, 0.8
"""Shares of networks within 10 % from which predictions are said to hold, and mostly to hold."""


def verdict(facts: Facts) -> str:
    """What the run shows: whether predictions hold if it was measured, else what was found, else profiled."""
    if facts.agreement is not None:
        return _of_agreement(facts.agreement)
    if facts.search is not None:
        return _of_search(facts.search)
    if facts.tables:
        count = sum(len(one.table.rows) for one in facts.tables)
        noisy = sum(row.verdict != "quiet" for one in facts.tables for row in one.table.rows.values())
        return (
            f"{count} workloads are profiled, {noisy} of them not quiet; no prediction was put to the test."
        )
    return "Nothing was compared yet: measurements or predictions stand here alone."


def _of_agreement(agreement: Agreement) -> str:
    share = agreement.within_10
    word = "hold" if share >= HOLD else "mostly hold" if share >= MOSTLY_HOLD else "do not hold"
    networks = "the one network" if agreement.count == 1 else f"{agreement.count} networks"
    ceiling = agreement.noise_ceiling
    noise = "" if ceiling is None else f"; measuring again differs by {percent(ceiling)}"
    return (
        f"Predictions {word}: off by {percent(agreement.mape)} on average over {networks}, "
        f"{percent(share, 0)} within {percent(0.1, 0)}{noise}."
    )


def _of_search(search: Search) -> str:
    score = f"{search.score_forward:.1f} by forward passes"
    if not search.latencies:
        return f"The search found a network of Zen-Score {score}; its latency was not asked for."
    first = search.latencies[0]
    return (
        f"The search found a network of Zen-Score {score}, predicted at {format_ms(first.latency_ms)} of "
        f"{format_ms(first.limit_ms)} allowed on {first.device}; it was not measured yet."
    )
