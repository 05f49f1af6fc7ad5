"""A front: the points of it that are scored again and shown, and the files that it leaves."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..atomic import write_json
from ..zen.judge import Candidate
from ..zen.pareto import cost_along
from ..zen.search import SearchResult
from ..zen.task import Task
from .front_picture import write_picture
from .search_folder import RESULT
from .searching import Rescored, write_csv

POINTS = 12


def spread(best: Sequence[Candidate], task: Task) -> list[Candidate]:
    """Of a front, best first, about POINTS at equal ratios of its axis, both ends among them."""
    ascending = best[::-1]
    values = along(ascending, task)
    ratio = values[-1] / values[0]
    goals = [values[0] * ratio ** (index / (POINTS - 1)) for index in range(POINTS)]
    indices = {max(0, bisect_right(values, goal) - 1) for goal in goals} | {len(values) - 1}
    return [ascending[index] for index in sorted(indices, reverse=True)]


def along(candidates: Sequence[Candidate], task: Task) -> list[float]:
    """What the candidates cost on the axis of the task's front: ms, or a count."""
    assert task.front is not None  # noqa: S101 (of fronts only)
    return [cost_along(task.front, task.budget, candidate) for candidate in candidates]


def write_front(
    folder: Path, record: dict[str, Any], result: SearchResult, task: Task, rescored: Sequence[Rescored]
) -> list[str]:
    """Writes the files of a front, result.json last, and puts the points scored again into the record."""
    forward = {one.network: one for one in rescored}
    rows = [_row(candidate, task, forward.get(candidate.network)) for candidate in result.best[::-1]]
    points = [row for row in rows if row["score_forward"] is not None]
    record["front"] = {"axis": task.front, "points": points}
    write_json(folder / "network.json", result.best[0].network.to_json())
    write_csv(folder / "front.csv", list(rows[0]), [list(row.values()) for row in rows])
    pictures = write_picture(folder / "front.png", rows, along(result.best[::-1], task), task)
    write_json(folder / RESULT, record)
    return [RESULT, "network.json", "front.csv", *pictures]


def _row(candidate: Candidate, task: Task, forward: Rescored | None) -> dict[str, Any]:
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
    for limit, estimate in zip(task.budget.latencies, candidate.estimates, strict=True):
        label = limit.name.removeprefix("latency on ")
        row |= {f"latency_ms {label}": estimate.ms, f"std_ms {label}": estimate.std_ms}
    return row
