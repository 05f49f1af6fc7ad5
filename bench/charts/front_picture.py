"""A picture of a front: scores in closed form and by forward passes against what the networks cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...quantities import format_count, format_ms
from ...zen.search.budget import Budget
from ...zen.search.front import Axis, axis_limit
from .picture import save_score_picture

_NAMES = {"macs": "multiply-adds", "params": "parameters"}


def write_picture(
    path: Path, rows: Sequence[Mapping[str, Any]], costs: Sequence[float], axis: Axis, budget: Budget
) -> list[str]:
    """Draws it from front.csv's rows and their costs; the names of the files written, none where
    matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
    except ImportError:
        return []
    limit = axis_limit(axis, budget)
    figure = Figure(figsize=(7.0, 4.6), layout="constrained")
    axes = figure.add_subplot()
    axes.step(
        [*costs, limit],
        [*(row["score"] for row in rows), rows[-1]["score"]],
        where="post",
        label=f"closed form, {len(rows)} networks",
        color="#1f5fa8",
    )
    points = [
        (value, row) for value, row in zip(costs, rows, strict=True) if row["score_forward"] is not None
    ]
    axes.errorbar(
        [cost for cost, _ in points],
        [row["score_forward"] for _, row in points],
        yerr=[row["score_forward_sem"] for _, row in points],
        fmt="o",
        markersize=5,
        capsize=3,
        color="#d1495b",
        label=f"forward passes, {len(points)} of them",
    )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(_ticks(costs[0], limit)))
    axes.xaxis.set_minor_locator(NullLocator())
    written = _written(axis)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda cost, _: written(cost)))
    axes.set_xlabel(_axis_label(axis, budget))
    return save_score_picture(path, figure, axes)


def _ticks(least: float, limit: float) -> list[float]:
    """The limit and what halving it again and again gives, down to the cheapest network."""
    ticks = [limit]
    while ticks[-1] / 2 >= least * 0.98:
        ticks.append(ticks[-1] / 2)
    return ticks[::-1]


def _written(axis: Axis) -> Callable[[float], str]:
    return format_ms if axis == "latency" else lambda value: format_count(round(value))


def _axis_label(axis: Axis, budget: Budget) -> str:
    if axis != "latency":
        return _NAMES[axis]
    limit = budget.latencies[0]
    sure = f", which holds with probability {limit.confidence:g}" if limit.confidence else ""
    return f"predicted {limit.name}{sure}"
