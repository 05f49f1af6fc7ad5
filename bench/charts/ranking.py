"""Figure of proxies against the column that they were compared with, one panel per proxy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...quantities import count_of
from ..comparing.ranking import Known, Ranking
from .style import LIGHT, Chart, axis, panels, rows

PANEL_PIXELS = 300
_PANELS_A_ROW = 4
_LONG = 10_000
"""Numbers from here on are written with a suffix, as 40M."""
_SPREAD = 50
"""Scores that spread over more than this factor are drawn on a logarithmic axis."""


def proxies_against_column(column: str, known: Sequence[Known], rankings: Sequence[Ranking]) -> Chart:
    """Score across, the column's value up, a dot per network."""
    title = " ".join(column.split())  # Vega draws no text of several lines
    drawn = [_panel(title, known, ranking) for ranking in rankings]
    return panels(LIGHT, drawn, min(_PANELS_A_ROW, len(rankings)))


def _panel(column: str, known: Sequence[Known], ranking: Ranking) -> Chart:
    dots: list[dict[str, Any]] = [
        {"score": score, "value": one.value}
        for score, one in zip(ranking.scores, known, strict=True)
        if score is not None
    ]
    scores = [dot["score"] for dot in dots]
    wide = bool(scores) and 0 < _SPREAD * min(scores) < max(scores)
    scale: Chart = {"type": "log"} if wide else {"zero": False}
    kendall = "too little to tell" if ranking.kendall is None else f"{ranking.kendall:.3f}"
    look: Chart = {"tickCount": 5, "labelOverlap": True}
    long = {"format": "~s"} if any(abs(score) >= _LONG for score in scores) else {}
    return {
        "width": PANEL_PIXELS,
        "height": PANEL_PIXELS,
        "title": f"{count_of(ranking.used, 'network')}, Kendall {kendall}",
        "data": rows(dots),
        "mark": {"type": "circle", "size": 30, "opacity": 0.6, "color": LIGHT.good},
        "encoding": {
            "x": axis("score", ranking.proxy, scale=scale, axis={**look, **long}),
            "y": axis("value", column, scale={"zero": False}, axis=look),
        },
    }
