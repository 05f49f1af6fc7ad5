"""A picture of proxies against the column that they were held against."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path

from ...atomic import make_folder
from ...errors import UserError
from ..comparing.ranking import Known, Ranking

SUFFIXES = (".png", ".svg", ".pdf")
_PANEL_INCHES = 4.0
_PANELS_A_ROW = 4
_SPREAD = 50
"""Scores that spread over more than this factor are drawn on a logarithmic axis."""


def check_plotting(path: Path) -> None:
    """Raises UserError where no picture could be written, before the long work begins."""
    if path.suffix not in SUFFIXES:
        raise UserError(f"'{path}' names no picture; it must end in {', '.join(SUFFIXES)}")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UserError("a plot needs matplotlib; install it with: pip install matplotlib") from None


def write_scatter(path: Path, column: str, known: Sequence[Known], rankings: Sequence[Ranking]) -> None:
    """One panel a proxy: score across, the column's value up, a dot a network."""
    from matplotlib.figure import Figure

    columns = min(_PANELS_A_ROW, len(rankings))
    rows = ceil(len(rankings) / columns)
    figure = Figure(figsize=(_PANEL_INCHES * columns, _PANEL_INCHES * rows), layout="constrained")
    for number, ranking in enumerate(rankings, 1):
        panel = figure.add_subplot(rows, columns, number)
        dots = [
            (score, one.value) for score, one in zip(ranking.scores, known, strict=True) if score is not None
        ]
        scores = [score for score, _ in dots]
        panel.scatter(scores, [value for _, value in dots], s=12, alpha=0.6)
        if scores and 0 < _SPREAD * min(scores) < max(scores):
            panel.set_xscale("log")
        kendall = "too little to tell" if ranking.kendall is None else f"{ranking.kendall:.3f}"
        panel.set(xlabel=ranking.proxy, ylabel=column, title=f"{ranking.used} networks, Kendall {kendall}")
    make_folder(path.parent)
    try:
        figure.savefig(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None
