"""A front: the files that a search along one leaves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...atomic import write_json
from ...zen.search.budget import Budget
from ...zen.search.evaluator import Candidate
from ...zen.search.front import Axis
from ...zen.search.rescoring import Rescored
from ...zen.search.run import SearchResult
from .result_record import ResultRecord
from .results import write_csv


def write_front(
    folder: Path,
    record: ResultRecord,
    result: SearchResult,
    axis: Axis,
    budget: Budget,
    rescored: Sequence[Rescored],
) -> list[str]:
    """Writes the files of a front but result.json, which comes last, and puts the points into the record."""
    forward = {one.network: one for one in rescored}
    candidates = result.best[::-1]
    rows = [_row(candidate, budget, forward.get(candidate.network)) for candidate in candidates]
    points = [row for row in rows if row["score_forward"] is not None]
    record["front"] = {"axis": axis, "points": points}
    write_json(folder / "network.json", result.best[0].network.to_json())
    write_csv(folder / "front.csv", list(rows[0]), [list(row.values()) for row in rows])
    return ["network.json", "front.csv"]


def _row(candidate: Candidate, budget: Budget, forward: Rescored | None) -> dict[str, Any]:
    network, cost = candidate.network, candidate.cost
    row = {
        "network": str(network),
        "digest": network.digest,
        "resolution": network.resolution,
        "classes": network.classes,
        "score": candidate.score,
        "score_forward": forward and forward.score_forward,
        "score_forward_sem": forward and forward.score_forward_sem,
        "macs": cost.macs,
        "params": cost.params,
        "layers": cost.layers,
    }
    for limit, estimate in zip(budget.latencies, candidate.estimates, strict=True):
        label = limit.name.removeprefix("latency on ")
        row |= {f"latency_ms {label}": estimate.ms, f"std_ms {label}": estimate.std_ms}
    return row
