"""How every figure of a report looks: its palette and what its Vega-Lite charts have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil, floor, log10
from typing import Any

Chart = dict[str, Any]
_CLIP = re.compile(r"(?<=[\"#])clip\d+(?=[\")])")
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"


@dataclass(frozen=True)
class Palette:
    """Colours by their role. `good`, `fair` and `poor` are told apart by the colour-blind."""

    page: str
    panel: str
    ink: str
    quiet: str
    line: str
    good: str
    fair: str
    poor: str


LIGHT = Palette(
    page="#ffffff",
    panel="#f6f7f9",
    ink="#1c2430",
    quiet="#5a6675",
    line="#d9dee5",
    good="#0072b2",
    fair="#b87700",
    poor="#c44e00",
)
DARK = Palette(
    page="#14181e",
    panel="#1d232b",
    ink="#e6eaf0",
    quiet="#a0acba",
    line="#363f4b",
    good="#56b4e9",
    fair="#e6b422",
    poor="#f58547",
)
PAGE = Palette(**{name: f"var(--{name})" for name in asdict(LIGHT)})
"""For charts in the page, whose style sheet chooses between the two."""


def chart(palette: Palette, layers: Sequence[Chart], height: int, **more: Any) -> Chart:
    """Layers over one another, as wide as where they are put; those without a row are left out."""
    return {
        "$schema": SCHEMA,
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        # Vega warns of a layer that has no extent.
        "layer": [layer for layer in layers if "data" not in layer or layer["data"]["values"]],
        "config": _config(palette),
        **more,
    }


def panels(palette: Palette, drawn: Sequence[Chart], columns: int) -> Chart:
    """Charts side by side, so many in a row; each has a size of its own, and a title."""
    config = _config(palette)
    title = {"color": palette.ink, "fontSize": 13, "fontWeight": "normal"}
    return {
        "$schema": SCHEMA,
        "concat": list(drawn),
        "columns": columns,
        "spacing": 40,
        "config": {**config, "background": palette.page, "padding": 12, "title": title},
    }


def chart_svg(drawn: Chart, width: int) -> tuple[str, float]:
    """A chart drawn at so many pixels, as SVG text, and its height."""
    from vl_convert import vegalite_to_svg

    svg = without_control_characters(vegalite_to_svg({**drawn, "width": width}, allowed_base_urls=[]))
    # The library numbers its clip paths over all charts of a process: a file would depend on those before it.
    names = {name: f"clip{number}" for number, name in enumerate(dict.fromkeys(_CLIP.findall(svg)), 1)}
    svg = _CLIP.sub(lambda match: names[match[0]], svg)
    return svg, float(svg.partition('height="')[2].partition('"')[0])


def without_control_characters(svg: str) -> str:
    """What XML allows of it: names of networks and columns may hold anything."""
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", svg)


def rows(values: Sequence[Mapping[str, Any]]) -> Chart:
    return {"values": [dict(value) for value in values]}


def axis(field: str, title: str | None, **more: Any) -> Chart:
    """A quantitative channel; `scale` and `axis` may be among `more`."""
    return {"field": field, "type": "quantitative", "title": title, **more}


LOG_FROM = 4.0
"""What spreads over more than this factor is drawn on a logarithmic axis."""


def spread_scale(least: float, most: float) -> tuple[Chart, Chart]:
    """The scale and the axis for positive values between these two: logarithmic where they spread widely."""
    domain = {"domain": [least, most], "nice": False}
    if most / least <= LOG_FROM:
        return {"type": "linear", "zero": False, **domain}, {"tickCount": 6}
    steps = (1, 2, 5) if most / least <= LOG_FROM**5 else (1,)
    ticks = [
        step * 10.0**power
        for power in range(floor(log10(least)), ceil(log10(most)) + 1)
        for step in steps
        if least <= step * 10.0**power <= most
    ]
    return {"type": "log", **domain}, {"values": ticks}


def hover(*fields: tuple[str, str]) -> list[Chart]:
    """What a tooltip says: columns, all written out already, and their headings."""
    return [{"field": field, "type": "nominal", "title": title} for field, title in fields]


def _config(palette: Palette) -> Chart:
    axes = {
        "labelColor": palette.quiet,
        "titleColor": palette.quiet,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "gridColor": palette.line,
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
    }
    return {
        "background": "transparent",
        "font": FONT,
        "padding": 4,
        "view": {"stroke": None},
        "axis": axes,
        "axisX": {"labelFlush": False},
        "axisY": {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "end", "titleX": 0, "titleY": -12},
        "text": {"color": palette.ink, "fontSize": 12},
        "rule": {"color": palette.quiet},
    }
