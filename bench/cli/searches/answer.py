"""How `zenbench search` shows its winner, or its points with --front."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from ....quantities import format_count, format_ms
from ....zen.search.task import SearchTask
from ...searching.result_record import GivenRecord, ResultRecord
from ...searching.task_record import table_models
from ..shared.output import NETWORK_COLUMN, Column, answer, label

_FORWARD = Column("forward", "forward passes")
_SCORE = Column("score", "score", lambda v: f"{v:.2f}" if isinstance(v, float) else v)
_LAYERS, _WHOSE = Column("layers", "layers"), Column("whose", "", right=False)
_TRAINED = (
    Column("digest", "trained finalist", right=False),
    Column("layers", "layers"),
    Column("macs", "MACs", format_count),
    Column("round", "round"),
    Column("images", "images", lambda v: f"{v:,}"),
    Column("top1", "held out", lambda v: f"{v:.1%}"),
    Column("standard_error", "+-", lambda v: f"{v:.1%}"),
    Column("test_top1", "test", lambda v: f"{v:.1%}"),
)
_COUNTS = {"params": Column("params", "params", format_count), "macs": Column("macs", "MACs", format_count)}


def show_winner(record: ResultRecord, task: SearchTask, style: str) -> None:
    """The network that a search found, and above it the one that it was to better."""
    shown = {**record, "label": label(record["network"]), "forward": forward_text(record)}
    columns = [NETWORK_COLUMN, _SCORE, _FORWARD, _LAYERS, *_COUNTS.values()]
    for limit, latency in zip(task.budget.latencies, record["latencies"], strict=True):
        images = round(latency["latency_ms"] / latency["latency_per_image_ms"])
        measured = _measured(record, limit.name)
        ms, std_ms = measured or (latency["latency_ms"], latency["std_ms"])
        shown[limit.name] = _taken(ms, std_ms, images, " measured" if measured else "")
        columns.append(Column(limit.name, limit.name))
    if style == "table" and "like" in record:
        answer([_yours(record["like"], task), {"whose": "found", **shown}], [_WHOSE, *columns], style)
    else:
        answer([shown if style == "table" else record], columns, style)
    if style == "table" and (trained := record.get("trained")):
        click.echo()
        answer(trained, _TRAINED, style)


def _yours(like: GivenRecord, task: SearchTask) -> dict[str, Any]:
    """A row of the network that a search was to better."""
    row = {"whose": "yours", "label": label(like["network"]), **like}
    row["score"] = "not computed" if like["score"] is None else like["score"]
    for limit, model in zip(task.budget.latencies, table_models(task.budget), strict=True):
        row[limit.name] = "not predicted"
        if limit.name in like["latency_ms"]:
            spread = like["latency_ms"][limit.name], like["std_ms"][limit.name]
            row[limit.name] = _taken(*spread, model.table.card.setting.batch)
    return row


def _taken(ms: float, std_ms: float, images: int = 1, how: str = "") -> str:
    each = f" ({format_ms(ms / images)} an image)" if images > 1 else ""
    return f"{format_ms(ms)} +- {format_ms(std_ms)}{how}{each}"


def _measured(record: ResultRecord, limit: str) -> tuple[float, float] | None:
    """What the winner takes and its standard error in ms, where it was measured."""
    for one in record.get("verdicts", []):
        if one["limit"] == limit and one["measured_ms"] is not None and one["measured_std_ms"] is not None:
            return one["measured_ms"], one["measured_std_ms"]
    return None


def show_front(record: ResultRecord, task: SearchTask, style: str) -> None:
    """The points from the cheapest to the dearest, what the front runs along first, and below them the
    network that they were to better."""
    points = record["front"]["points"]
    names = [limit.name for limit in task.budget.latencies]
    costs = [Column(name, name) for name in names]
    costs += [_COUNTS[name] for name in ("params", "macs") if name != task.front]
    first = _COUNTS[task.front] if task.front in _COUNTS else costs.pop(0)
    shown = [
        {
            **point,
            "label": label(point["network"]),
            "forward": forward_text(point),
            **{name: _latency(point, name.removeprefix("latency on ")) for name in names},
        }
        for point in points
    ]
    columns = (first, _SCORE, _FORWARD, _LAYERS, *costs, NETWORK_COLUMN)
    answer(shown if style == "table" else points, columns, style)
    if style == "table" and "like" in record:
        click.echo()
        answer([_yours(record["like"], task)], [_WHOSE, *columns], style)


def forward_text(scored: Mapping[str, Any]) -> str:
    """A score by forward passes with its standard error, where it is known."""
    if scored["score_forward"] is None:
        return "not computed"
    return f"{scored['score_forward']:.2f} +- {scored['score_forward_sem']:.2f}"


def _latency(point: Mapping[str, Any], name: str) -> str:
    return _taken(point[f"latency_ms {name}"], point[f"std_ms {name}"])
