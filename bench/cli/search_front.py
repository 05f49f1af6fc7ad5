"""How `zenbench search --front` shows its points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...quantities import format_count, format_ms
from ...zen.search.task import SearchTask
from .shared.output import Column, answer, label

_SCORES = (
    Column("score", "score", lambda v: f"{v:.2f}"),
    Column("forward", "forward passes"),
    Column("layers", "layers"),
)
_COUNTS = {"params": Column("params", "params", format_count), "macs": Column("macs", "MACs", format_count)}
_NETWORK = Column("label", "network", right=False)


def show_front(points: Sequence[Mapping[str, Any]], task: SearchTask, style: str) -> None:
    """The points from the cheapest to the dearest, what the front runs along first."""
    names = [limit.name for limit in task.budget.latencies]
    costs = [Column(name, name) for name in names]
    costs += [_COUNTS[name] for name in ("params", "macs") if name != task.front]
    first = _COUNTS[task.front] if task.front in _COUNTS else costs.pop(0)
    shown = [
        {
            **point,
            "label": label(point["network"]),
            "forward": f"{point['score_forward']:.2f} +- {point['score_forward_sem']:.2f}",
            **{name: _latency(point, name.removeprefix("latency on ")) for name in names},
        }
        for point in points
    ]
    answer(shown if style == "table" else points, (first, *_SCORES, *costs, _NETWORK), style)


def _latency(point: Mapping[str, Any], name: str) -> str:
    return f"{format_ms(point[f'latency_ms {name}'])} +- {format_ms(point[f'std_ms {name}'])}"
