"""`zenbench compare`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ...units import format_ms
from ..agreement import Agreement, agree
from ..latency_csv import read_rows
from .options import FILE, SHARE, format_option
from .output import NETWORK_COLUMN, Column, answer, say, show_table

WORST = (
    NETWORK_COLUMN,
    Column("measured_ms", "measured", format_ms),
    Column("predicted_ms", "predicted", format_ms),
    Column("error", "error", lambda v: f"{v:+.1%}"),
)


@click.command("compare")
@click.argument("measured", type=FILE)
@click.argument("predicted", type=FILE)
@click.option("--fail-above", type=SHARE, help="Exit with code 1 where the mean error is larger, as in 10%.")
@format_option
def command(measured: Path, predicted: Path, fail_above: float | None, style: str) -> int:
    """Hold predictions against measurements: MEASURED and PREDICTED are CSV files of zenbench."""
    agreement = agree(read_rows(measured), read_rows(predicted))
    show_agreement(agreement, style)
    failed = fail_above is not None and agreement.mape > fail_above
    if failed:
        say(f"zenbench: the mean error of {agreement.mape:.1%} is above {fail_above:.1%}")
    return int(failed)
