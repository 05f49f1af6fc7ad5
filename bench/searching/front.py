"""A front: its points, as a search along one writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...zen.search.budget import Budget
from ...zen.search.evaluator import Candidate
from ...zen.search.front import Axis, spread
from .forward_scores import ForwardScores
from .result_record import FrontRecord


def front_rows(best: Sequence[Candidate], budget: Budget, scores: ForwardScores) -> list[dict[str, Any]]:
    """Every point, the cheapest first: the rows of `front.csv`."""
    return [_row(candidate, budget, scores) for candidate in best[::-1]]


def front_record(
    best: Sequence[Candidate], axis: Axis, budget: Budget, rows: Sequence[dict[str, Any]]
) -> FrontRecord:
    """The points that are shown, whether they were scored again or not."""
    shown = {candidate.network.digest for candidate in spread(best, axis, budget)}
    return {"axis": axis, "points": [row for row in rows if row["digest"] in shown]}


def _row(candidate: Candidate, budget: Budget, scores: ForwardScores) -> dict[str, Any]:
    network, cost = candidate.network, candidate.cost
    forward = scores.of(network)
    row = {
        "network": str(network),
        "digest": network.digest,
        "resolution": network.resolution,
        "classes": network.classes,
        "score": candidate.score,
        "score_forward": forward.value if forward else None,
        "score_forward_sem": forward.sem if forward else None,
        "macs": cost.macs,
        "params": cost.params,
        "layers": cost.layers,
    }
    for limit, estimate in zip(budget.latencies, candidate.estimates, strict=True):
        label = limit.name.removeprefix("latency on ")
        row |= {f"latency_ms {label}": estimate.ms, f"std_ms {label}": estimate.std_ms}
    return row
