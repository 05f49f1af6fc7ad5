"""Writing a report: the page and, beside it, every figure as an SVG file."""

from __future__ import annotations

from pathlib import Path

from ...atomic import write_text
from ...errors import UserError
from .facts import gather
from .page import page
from .sections import Figure, sections
from .style import LIGHT, Chart

PAGE_NAME, FIGURES = "report.html", "figures"
FILE_WIDTH = 680


def write_report(folder: Path) -> list[Path]:
    """Writes a folder's report into it, the page last; the files written.

    Raises UserError where the folder is no run or where what draws the page is not installed.
    """
    try:
        from vl_convert import vegalite_to_svg
    except ImportError:
        raise UserError(
            "a report needs vl-convert-python and Jinja2; install them with: "
            "pip install vl-convert-python Jinja2"
        ) from None
    facts = gather(folder)
    parts = sections(facts)
    written = []
    for figure in parts:
        if isinstance(figure, Figure):
            path = folder / FIGURES / f"{figure.name}.svg"
            write_text(path, vegalite_to_svg(_alone(figure), allowed_base_urls=[]))
            written.append(path)
    text = page(facts, parts)
    write_text(folder / PAGE_NAME, text)
    return [folder / PAGE_NAME, *written]


def _alone(figure: Figure) -> Chart:
    """A figure to stand without the page: on paper's colours, with its title."""
    drawn = figure.draw(LIGHT)
    title = {"text": figure.title, "anchor": "start", "color": LIGHT.ink, "fontSize": 15, "offset": 24}
    return {
        **drawn,
        "width": FILE_WIDTH,
        "title": title,
        "config": {**drawn["config"], "background": LIGHT.page, "padding": 16},
    }
