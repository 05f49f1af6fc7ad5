"""Figures of how well predictions hold: measured against predicted, and the errors' distribution."""

from __future__ import annotations

from math import ceil, floor
from typing import Any

from ...quantities import format_ms
from ..comparing.agreement import Agreement, PredictedPair
from .style import Chart, Palette, axis, chart, hover, rows, spread_scale
from .wording import signed_percent

BANDS = (0.10, 0.05)
MOST_BINS = 40
LEAST_MARK = 12.0
"""Square pixels of a mark where there are many."""
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
WITHIN_5, WITHIN_10, BEYOND_10 = LABELS = "within 5\u00a0%", "within 10\u00a0%", "beyond 10\u00a0%"


def measured_against_predicted(palette: Palette, agreement: Agreement, chosen: str | None) -> Chart:
    """One dot a network, bands of 5 and 10 % around the line where both are equal."""
    pairs = agreement.pairs
    every = [ms for pair in pairs for ms in (pair.measured_ms, pair.predicted_ms)]
    least, most = min(every) / 1.15, max(every) * 1.15
    scale, look = spread_scale(least, most)
    # The worst lie on top: as large as when they are few, they would hide the many that are right.
    size = min(80.0, max(LEAST_MARK, 80.0 * 100 / len(pairs)))

    def place(x: str, y: str) -> Chart:
        return {
            "x": axis(x, "measured, ms", scale=scale, axis={"format": "~r", **look}),
            "y": axis(y, "predicted, ms", scale=scale, axis={"format": "~r", **look}),
        }

    band = [
        {
            "data": rows(
                [{"x": ms, "low": ms * (1 - width), "high": ms * (1 + width)} for ms in (least, most)]
            ),
            "mark": {"type": "area", "color": palette.good, "opacity": 0.12, "clip": True},
            "encoding": {**place("x", "low"), "y2": {"field": "high"}},
        }
        for width in BANDS
    ]
    equal = {
        "data": rows([{"x": least, "y": least}, {"x": most, "y": most}]),
        "mark": {"type": "line", "color": palette.quiet, "strokeWidth": 1},
        "encoding": place("x", "y"),
    }
    dots = {
        "data": rows([_dot(pair, chosen) for pair in reversed(pairs)]),
        "mark": {"type": "point", "filled": True, "size": size, "opacity": 0.85},
        "encoding": {
            **place("measured_ms", "predicted_ms"),
            "color": _by_error([palette.good, palette.fair, palette.poor]),
            "shape": _by_error(["circle", "diamond", "triangle-up"]),
            "tooltip": hover(
                ("network", "network"),
                ("measured", "measured"),
                ("predicted", "predicted"),
                ("error", "error"),
            ),
        },
    }
    ring = {
        "data": rows([_dot(pair, chosen) for pair in pairs if pair.digest == chosen]),
        "mark": {"type": "point", "filled": False, "size": 240, "color": palette.ink, "strokeWidth": 1.5},
        "encoding": place("measured_ms", "predicted_ms"),
    }
    # The ring lies beneath, so that the pointer reaches the dot.
    return chart(palette, [*band, equal, ring, dots], 420)


def error_distribution(palette: Palette, agreement: Agreement) -> Chart:
    """Networks by how far their prediction is off, in bins that 5 and 10 % are edges of."""
    errors = [pair.error for pair in agreement.pairs]
    reach = max(*map(abs, errors), 0.1)
    step = next((step for step in STEPS if 2 * reach / step <= MOST_BINS), STEPS[-1])
    bins = [floor(error / step + 1e-9) for error in errors]
    edge = ceil(reach / step + 1e-9) * step
    counted = [
        {
            "low": 100 * step * number,
            "high": 100 * step * (number + 1),
            "count": bins.count(number),
            "networks": str(bins.count(number)),
            "errors": f"{signed_percent(step * number, 0)} to {signed_percent(step * (number + 1), 0)}",
        }
        for number in sorted(set(bins))
    ]

    def across(field: str) -> Chart:
        scale = {"domain": [-100 * edge, 100 * edge], "nice": False}
        look = {"grid": False, "format": "d", "tickCount": 6}
        return axis(field, "error of the prediction, %", scale=scale, axis=look)

    band = [
        {
            "data": rows([{"low": -100 * width, "high": 100 * width}]),
            "mark": {"type": "rect", "color": palette.good, "opacity": 0.12},
            "encoding": {"x": across("low"), "x2": {"field": "high"}},
        }
        for width in BANDS
    ]
    bars = {
        "data": rows(counted),
        "mark": {"type": "bar", "color": palette.good, "binSpacing": 1},
        "encoding": {
            "x": {**across("low"), "bin": "binned"},
            "x2": {"field": "high"},
            "y": axis("count", "networks", axis={"tickCount": 5, "tickMinStep": 1, "format": "d"}),
            "tooltip": hover(("errors", "error"), ("networks", "networks")),
        },
    }
    bias = {
        "data": rows([{"bias": 100 * agreement.bias, "said": signed_percent(agreement.bias)}]),
        "mark": {"type": "rule", "color": palette.ink, "strokeDash": [4, 3], "strokeWidth": 1.5},
        "encoding": {"x": across("bias"), "tooltip": hover(("said", "mean error"))},
    }
    return chart(palette, [*band, bars, bias], 220)


def _by_error(values: list[str]) -> Chart:
    return {
        "field": "class",
        "type": "nominal",
        "scale": {"domain": list(LABELS), "range": values},
        "legend": None,
    }


def _dot(pair: PredictedPair, chosen: str | None) -> dict[str, Any]:
    off = abs(pair.error)
    return {
        "network": f"chosen: {pair.network}" if pair.digest == chosen else pair.network,
        "measured_ms": pair.measured_ms,
        "predicted_ms": pair.predicted_ms,
        "measured": format_ms(pair.measured_ms),
        "predicted": format_ms(pair.predicted_ms),
        "error": signed_percent(pair.error),
        "class": WITHIN_5 if off <= 0.05 else WITHIN_10 if off <= 0.10 else BEYOND_10,
    }
