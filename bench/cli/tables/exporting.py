"""`zenbench tables export`."""

from __future__ import annotations

from pathlib import Path

import click

from ....atomic import write_text
from ....errors import UserError
from ....latency_tables.table import LatencyTable
from ...tables.exporting import EXPORT_FORMATS, ExportFormat, export_table
from ..shared.options import FILE, TABLE
from ..shared.output import say


@click.command("export")
@click.argument("table", type=TABLE)
@click.option("--format", "style", type=click.Choice(EXPORT_FORMATS), required=True, help="What to write.")
@click.option("--out", type=FILE, required=True, help="The file to write.")
def command(table: Path, style: ExportFormat, out: Path) -> None:
    """Write a latency table as one file for other programs."""
    if out.exists():
        raise UserError(f"{out} exists already; choose another --out")
    loaded = LatencyTable.load(table)
    if not loaded.rows and not loaded.networks:
        raise UserError(f"{table} holds no rows to export")
    text, lost = export_table(loaded, style)
    write_text(out, text)
    for line in lost:
        say(f"not in {out.name}: {line}")
    say(f"{out}: {style} of {len(loaded.rows)} workloads and {len(loaded.networks)} networks")
