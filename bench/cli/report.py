"""`zenbench report`."""

from __future__ import annotations

from pathlib import Path

import click

from ...quantities import count_of
from ..report.writing import write_report
from .shared.options import FOLDER
from .shared.output import say


@click.command("report")
@click.argument("folder", metavar="DIR", type=FOLDER)
def command(folder: Path) -> None:
    """One page that shows a run: DIR/report.html, and every figure as an SVG file in DIR/figures.

    DIR is what zenbench demo or search --out wrote, with the measured.csv and predicted.csv put into it.
    The page needs no network.
    """
    show_report(folder)


def show_report(folder: Path) -> None:
    """Writes a folder's report and says where it is."""
    page, *figures = write_report(folder)
    say(
        f"{page}: {page.stat().st_size / 1e6:.1f} MB, {count_of(len(figures), 'figure')} as SVG in "
        f"{page.parent}/figures/"
    )
