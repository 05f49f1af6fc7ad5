"""A figure as a file of its own: an SVG or PNG with title, explanation and legend around the chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import wrap

from ...atomic import make_folder, write_bytes
from ...errors import UserError
from .figure import Figure, Key
from .style import FONT, LIGHT, Chart, chart_svg, without_control_characters
from .templates import render

WIDTH, MARGIN = 720, 20
CHARACTER_PIXELS = 6.9
"""A character of the text, rather too wide: an SVG file does not know how its text will come out."""
LINE_PIXELS, KEY_PIXELS = 19, 24


@dataclass(frozen=True)
class _Placed:
    key: Key
    colour: str
    x: float
    y: float


def figure_svg(figure: Figure) -> str:
    """The file's text, on paper's colours."""
    inner = WIDTH - 2 * MARGIN
    lines = wrap(figure.text, int(inner / CHARACTER_PIXELS))
    top = MARGIN + 42 + LINE_PIXELS * (len(lines) - 1)
    keys = _placed(figure.keys, inner, top)
    chart_y = (keys[-1].y if keys else top - 16) + 28
    svg, height = chart_svg(figure.draw(LIGHT), inner)
    return render(
        "figure.svg.jinja",
        title=figure.title,
        lines=lines,
        keys=keys,
        chart=svg,
        chart_y=chart_y,
        width=WIDTH,
        height=chart_y + height + MARGIN,
        margin=MARGIN,
        line_pixels=LINE_PIXELS,
        colours=asdict(LIGHT),
        font=FONT,
    )


def figure_png(figure: Figure) -> bytes:
    """The same as an image of two pixels a point."""
    from vl_convert import svg_to_png

    image: bytes = svg_to_png(figure_svg(figure), scale=2)
    return image


SUFFIXES = (".png", ".svg", ".pdf")


def check_suffix(path: Path) -> None:
    """Raises UserError where a chart cannot be written under this name, before the long work begins."""
    if path.suffix not in SUFFIXES:
        raise UserError(f"'{path}' names no picture; it must end in {', '.join(SUFFIXES)}")


def write_chart(path: Path, drawn: Chart) -> None:
    """A chart that needs no text around it, in the format of the file's suffix."""
    from vl_convert import vegalite_to_pdf, vegalite_to_png, vegalite_to_svg

    if path.suffix == ".svg":
        data = without_control_characters(vegalite_to_svg(drawn, allowed_base_urls=[])).encode()
    elif path.suffix == ".pdf":
        data = vegalite_to_pdf(drawn, allowed_base_urls=[])
    else:
        data = vegalite_to_png(drawn, scale=2, allowed_base_urls=[])
    make_folder(path.parent)
    write_bytes(path, data)


def _placed(keys: Sequence[Key], inner: float, y: float) -> list[_Placed]:
    """The legend's entries side by side, on as many lines as they need."""
    colours, x = asdict(LIGHT), 0.0
    placed: list[_Placed] = []
    for key in keys:
        width = 40 + CHARACTER_PIXELS * len(key.text)
        if placed and x + width > inner:
            x, y = 0.0, y + KEY_PIXELS
        placed.append(_Placed(key, colours[key.role], x, y))
        x += width
    return placed
