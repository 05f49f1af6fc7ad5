"""Figures of a search: its candidates against what they cost, its network block by block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...quantities import format_count, format_ms
from ..searching.candidate_records import CandidateRecord, KeptCandidate
from ..searching.reading import Search
from ..tables.block_latencies import Blocks
from .style import Chart, Palette, axis, chart, hover, rows, spread_scale
from .wording import percent

AXES = {"latency": "latency, ms", "macs": "multiply-adds", "params": "parameters"}
BLOCK_PIXELS = 40


def score_against_cost(palette: Palette, search: Search, others: Sequence[CandidateRecord]) -> Chart:
    """The candidates that were kept and other networks, the front of them all, limit and chosen network.

    Latencies are the measured ones where there are such; hollow marks are at predictions.
    """
    everyone = [*search.candidates, *others]
    costs = [one.cost for one in everyone] + ([] if search.limit is None else [search.limit])
    margin = max((max(costs) / min(costs)) ** 0.04, 1.001)
    scale, look = spread_scale(min(costs) / margin, max(costs) * margin)
    predicted = [one for one in search.candidates if one.is_cost_predicted]
    known = [one for one in search.candidates if not one.is_cost_predicted]
    what = AXES[search.axis] if known else f"predicted {AXES[search.axis]}"
    heading = AXES[search.axis].removesuffix(", ms")
    x_format = "~r" if search.axis == "latency" else "~s"

    def place(y: str = "score", x: str = "cost") -> Chart:
        return {"x": axis(x, what, scale=scale, axis={"format": x_format, **look}), "y": score_axis(y)}

    again = [one for one in search.candidates if one.score_forward is not None]
    closed = hover(("network", "network"), ("said_cost", heading), ("said_score", "score, closed form"))
    forward = hover(("network", "network"), ("said_cost", heading), ("said", "score, forward passes"))
    front = [{"cost": one.cost, "score": one.score} for one in _front(everyone)]
    layers: list[Chart] = [
        {
            "data": rows(front),
            "mark": {"type": "line", "interpolate": "step-after", "color": palette.good, "strokeWidth": 1.5},
            "encoding": place(),
        },
        {
            "data": rows([_candidate(one, search) for one in _chosen(search)]),
            "mark": {"type": "point", "filled": False, "size": 240, "color": palette.ink, "strokeWidth": 1.5},
            "encoding": place(),
        },
        {
            "data": rows([_candidate(one, search) for one in others]),
            "mark": {"type": "point", "shape": "square", "filled": True, "size": 48, "color": palette.quiet},
            "encoding": {**place(), "tooltip": closed},
        },
        {
            "data": rows([_candidate(one, search) for one in predicted]),
            "mark": {"type": "point", "filled": False, "size": 44, "color": palette.good, "strokeWidth": 1.5},
            "encoding": {**place(), "tooltip": closed},
        },
        {
            "data": rows([_candidate(one, search) for one in known]),
            "mark": {"type": "point", "filled": True, "size": 48, "color": palette.good, "opacity": 0.8},
            "encoding": {**place(), "tooltip": closed},
        },
        {
            "data": rows([{"cost": one.cost, **forward_score(one)} for one in again]),
            "mark": {"type": "rule", "color": palette.poor, "strokeWidth": 1.5},
            "encoding": {**place("low"), "y2": {"field": "high"}},
        },
        {
            "data": rows([{**_candidate(one, search), **forward_score(one)} for one in again]),
            "mark": {"type": "point", "shape": "diamond", "size": 60, "filled": True, "color": palette.poor},
            "encoding": {**place("forward"), "tooltip": forward},
        },
    ]
    if search.limit is not None:
        limit = {"limit": search.limit, "said": _cost(search.limit, search)}
        layers.append(
            {
                "data": rows([limit]),
                "mark": {"type": "rule", "color": palette.ink, "strokeDash": [4, 3], "strokeWidth": 1.5},
                "encoding": {"x": place(x="limit")["x"], "tooltip": hover(("said", "limit"))},
            }
        )
    return chart(palette, layers, 320)


def latency_by_block(palette: Palette, blocks: Blocks) -> Chart:
    """A bar a different block, its name above it, so that no label is cut off on a phone."""
    values = [
        {
            "order": number,
            "label": f"{one.times} times {one.workload.label}" if one.times > 1 else one.workload.label,
            "ms": one.times * one.ms,
            "said": f"{format_ms(one.times * one.ms)}, {percent(one.share, 0)}",
            "total": format_ms(one.times * one.ms),
            "each": f"{format_ms(one.ms)} ± {format_ms(one.std_ms)}",
            "source": one.source,
        }
        for number, one in enumerate(blocks.latencies)
    ]
    sources = list(dict.fromkeys(one.source for one in blocks.latencies))
    # Room for what stands behind the longest bar.
    most = 1.25 * max(one.times * one.ms for one in blocks.latencies)
    look = {"tickCount": 5, "format": "~r", "grid": False}
    x = axis("ms", "predicted latency, ms", scale={"domain": [0, most], "nice": False}, axis=look)
    y: Chart = {"field": "order", "type": "ordinal", "axis": None}
    tooltip = hover(("label", "block"), ("said", "latency"), ("each", "each"), ("source", "source"))
    return chart(
        palette,
        [
            {
                "mark": {"type": "bar", "height": 14, "yOffset": 9, "cornerRadiusEnd": 2},
                "encoding": {
                    "x": x,
                    "y": y,
                    "color": {
                        "field": "source",
                        "type": "nominal",
                        "scale": {
                            "domain": sources,
                            "range": [palette.good if one == "measured" else palette.fair for one in sources],
                        },
                        "legend": None,
                    },
                    "tooltip": tooltip,
                },
            },
            {
                "mark": {"type": "text", "align": "left", "baseline": "bottom", "dy": -1, "x": 2},
                "encoding": {"y": y, "text": {"field": "label"}, "tooltip": tooltip},
            },
            {
                "mark": {
                    "type": "text",
                    "align": "left",
                    "baseline": "middle",
                    "dx": 5,
                    "yOffset": 9,
                    "color": palette.quiet,
                },
                "encoding": {"x": x, "y": y, "text": {"field": "total"}, "tooltip": tooltip},
            },
        ],
        BLOCK_PIXELS * len(values),
        data=rows(values),
    )


def score_axis(field: str) -> Chart:
    return axis(field, "Zen-Score", scale={"zero": False}, axis={"tickCount": 6})


def _front(candidates: Sequence[CandidateRecord]) -> list[CandidateRecord]:
    """Those that no cheaper one reaches in score, cheapest first."""
    front: list[CandidateRecord] = []
    for one in sorted(candidates, key=lambda one: (one.cost, -one.score)):
        if not front or one.score > front[-1].score:
            front.append(one)
    return front


def _chosen(search: Search) -> list[KeptCandidate]:
    return [one for one in search.candidates if one.digest == search.network.digest][:1]


def _cost(value: float, search: Search) -> str:
    return format_ms(value) if search.axis == "latency" else format_count(value)


def _said_cost(one: CandidateRecord, search: Search) -> str:
    said = _cost(one.cost, search)
    if one.is_cost_predicted:
        return f"{said} predicted"
    if search.axis == "latency" and isinstance(one, KeptCandidate):
        return f"{said} measured, {format_ms(one.latencies[0].predicted_ms)} predicted"
    return said


def _candidate(one: CandidateRecord, search: Search) -> dict[str, Any]:
    is_chosen = one.digest == search.network.digest
    return {
        "network": f"chosen: {one.network}" if is_chosen else one.network,
        "cost": one.cost,
        "score": one.score,
        "said_cost": _said_cost(one, search),
        "said_score": f"{one.score:.2f}",
    }


def forward_score(one: CandidateRecord | Search) -> dict[str, Any]:
    score, sem = one.score_forward or 0.0, one.score_forward_sem or 0.0
    return {
        "forward": score,
        "low": score - sem,
        "high": score + sem,
        "said": f"{score:.2f} ± {sem:.2f}",
    }
