"""Writing a report: the page and, beside it, every figure as an SVG file."""

from __future__ import annotations

from pathlib import Path

from ...atomic import write_text
from ..charts.figure import Figure
from ..charts.figure_file import figure_svg
from .facts import gather
from .page import page
from .sections import sections

PAGE_NAME, FIGURES = "report.html", "figures"


def write_report(folder: Path) -> list[Path]:
    """Writes a folder's report into it; the files written, the page first.

    Raises UserError where the folder is no run of zenbench.
    """
    facts = gather(folder)
    parts = sections(facts)
    texts = {folder / PAGE_NAME: page(facts, parts)}
    for figure in parts:
        if isinstance(figure, Figure):
            texts[folder / FIGURES / f"{figure.name}.svg"] = figure_svg(figure)
    for path, text in texts.items():
        write_text(path, text)
    return list(texts)
