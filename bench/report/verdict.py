"""A run's verdict: the sentences at the top of its report."""

from __future__ import annotations

from collections.abc import Sequence

from ...quantities import count_of, format_ms
from ..charts.wording import percent, typeset
from ..comparing.agreement import Agreement
from ..comparing.intervals import LEAST
from ..searching.reading import LimitedLatency, Search
from ..training.card import TrainingCard
from .facts import MEASURED, Facts

HOLD, MOSTLY_HOLD = 0.95, 0.8
"""Shares of networks within 10 % from which predictions are said to hold, and mostly to hold."""


def verdict(facts: Facts) -> list[str]:
    """What the run shows, what matters most first: whether the found network holds its budget, whether
    predictions hold, what was found; else what was profiled."""
    found = []
    if facts.search is not None and facts.search.latencies:
        found.append(_of_budget(facts, facts.search.latencies))
    if facts.agreement is not None:
        found.append(_of_agreement(facts.agreement))
    elif facts.search is not None:
        found.append(_of_search(facts.search))
    if facts.training is not None:
        found.append(_of_training(facts.training))
    return found or [_of_tables(facts)]


def _of_budget(facts: Facts, latencies: Sequence[LimitedLatency]) -> str:
    """What the search says of every limit, where it measured; else what a later measurement says."""
    if any(one.measured_ms is not None for one in latencies):
        several = len(latencies) > 1
        return " ".join(_of_limit(one, several) for one in latencies)
    agreement, pair = facts.agreement, facts.chosen_pair
    if agreement is not None and pair is not None:
        there = (agreement.device, agreement.setting)
        for one in latencies:
            if (one.device, one.setting) == there:
                return _of_later_measurement(pair.measured_ms, one)
    predicted = ", ".join(f"{_prediction(one)} on {one.label}" for one in latencies)
    return f"The latency is only predicted: {predicted}."


def _of_limit(latency: LimitedLatency, several: bool) -> str:
    if latency.measured_ms is None:
        return f"On {latency.label} the latency is only predicted: {_prediction(latency)}."
    said = typeset(latency.verdict or "")
    return f"On {latency.label}, {said}." if several else f"{said[:1].upper()}{said[1:]}."


def _prediction(latency: LimitedLatency) -> str:
    said = f"{format_ms(latency.latency_ms)} ± {format_ms(latency.std_ms)}"
    return f"{said} of {format_ms(latency.limit_ms)}"


def _of_later_measurement(measured_ms: float, latency: LimitedLatency) -> str:
    over = measured_ms / latency.limit_ms - 1
    said = f"Budget missed by {percent(over)}" if over > 0 else "Within budget"
    measured = f"measured {format_ms(measured_ms)} of {format_ms(latency.limit_ms)}"
    return f"{said}: {measured} after the search ({MEASURED})."


def _of_tables(facts: Facts) -> str:
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


def _of_training(card: TrainingCard) -> str:
    reach = percent(1.96 * card.standard_error)
    return (
        f"Trained to {percent(card.top1[-1])} of the {card.test_images:,} test images (95\u00a0% confidence: "
        f"± {reach}), {percent(card.top5)} among the first five."
    )


def _of_search(search: Search) -> str:
    score = f"{search.score:.1f} in closed form"
    if search.score_forward is not None:
        score = f"{search.score_forward:.1f} by forward passes"
    said = "" if search.latencies else "; its latency was not asked for"
    return f"The search found a network of Zen-Score {score}{said}."
