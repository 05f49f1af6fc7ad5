"""Figures of a profile: the reference workload's drift, and the temperature beneath it."""

from __future__ import annotations

from typing import Any

from ..measuring.drift import Drift
from .style import Chart, Palette, axis, chart, hover, rows
from .wording import signed_percent

SECONDS_BELOW, HOURS_FROM = 3.0, 180.0
"""Minutes of a profile at which its axis changes its unit."""


def drift_over_time(palette: Palette, drift: Drift) -> Chart:
    """The reference's time against its median, its outer deciles as a band."""
    values = [_row(drift, number) for number in range(len(drift.moments))]
    x = _time(drift)
    y: Chart = {"scale": {"zero": False}, "axis": {"tickCount": 5}}
    title = "reference against its median, %"
    return chart(
        palette,
        [
            {
                "mark": {"type": "area", "color": palette.good, "opacity": 0.18},
                "encoding": {"x": x, "y": axis("low", title, **y), "y2": {"field": "high"}},
            },
            _pauses(palette, drift, x),
            {
                "mark": _line(palette.good),
                "encoding": {
                    "x": x,
                    "y": axis("drift", title, **y),
                    "tooltip": hover(("after", "after"), ("said", "reference"), ("span", "outer deciles")),
                },
            },
        ],
        220,
        data=rows(values),
    )


def temperature_over_time(palette: Palette, drift: Drift) -> Chart:
    """The hottest sensor, at the moments that tell it."""
    values = [_row(drift, number) for number, one in enumerate(drift.moments) if one.celsius is not None]
    x = _time(drift)
    return chart(
        palette,
        [
            _pauses(palette, drift, x),
            {
                "mark": _line(palette.poor),
                "encoding": {
                    "x": x,
                    "y": axis("celsius", "hottest sensor, °C", scale={"zero": False}, axis={"tickCount": 4}),
                    "tooltip": hover(("after", "after"), ("heat", "hottest sensor")),
                },
            },
        ],
        160,
        data=rows(values),
    )


def _line(colour: str) -> dict[str, Any]:
    """With points that are not seen, but are large enough to be hovered over."""
    return {"type": "line", "color": colour, "strokeWidth": 1.5, "point": {"opacity": 0, "size": 80}}


def _unit(drift: Drift) -> tuple[str, float]:
    """The unit of the time axis, and how many make a minute."""
    minutes = drift.moments[-1].minutes
    if minutes < SECONDS_BELOW:
        return "seconds", 60.0
    return ("minutes", 1.0) if minutes < HOURS_FROM else ("hours", 1 / 60)


def _time(drift: Drift) -> Chart:
    unit, factor = _unit(drift)
    most = max(drift.moments[-1].minutes * factor, 1e-3)
    return axis(
        "time",
        f"{unit} of measuring",
        scale={"domain": [0, most], "nice": False},
        axis={"grid": False, "tickCount": 6, "format": "~r"},
    )


def _pauses(palette: Palette, drift: Drift, x: Chart) -> Chart:
    return {
        "data": rows([{"time": minutes * _unit(drift)[1]} for minutes in drift.pauses]),
        "mark": {"type": "rule", "color": palette.quiet, "strokeDash": [2, 3]},
        "encoding": {"x": x},
    }


def _row(drift: Drift, number: int) -> dict[str, Any]:
    moment, (unit, factor) = drift.moments[number], _unit(drift)
    return {
        "time": moment.minutes * factor,
        "drift": 100 * (moment.drift - 1),
        "low": 100 * (moment.low - 1),
        "high": 100 * (moment.high - 1),
        "celsius": moment.celsius,
        "after": f"{moment.minutes * factor:.1f} {unit}",
        "said": signed_percent(moment.drift - 1),
        "span": f"{signed_percent(moment.low - 1)} and {signed_percent(moment.high - 1)}",
        "heat": None if moment.celsius is None else f"{moment.celsius:.1f} °C",
    }
