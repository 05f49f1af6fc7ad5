"""`zenbench fit`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
import numpy as np

from ...devices.base import SettingRequest
from ...latency_tables.fitted.features import SPACES
from ...latency_tables.fitted.model import FittedTable
from ..latency_files.columns import Columns, with_options
from ..tables.fitting import UNKNOWN, fit_table
from ..tables.importing.importing import check_new
from .shared.options import BATCH, COLUMNS, FILE, PRECISION, TABLE, format_option
from .shared.output import Column, answer, say

_SHOWN = 20
FIGURES = (
    Column("networks", "networks"),
    Column("mean_error", "mean error", lambda v: f"{v:.1%}"),
    Column("median_error", "median", lambda v: f"{v:.1%}"),
    Column("within_5", "within 5 %", lambda v: f"{v:.1%}"),
    Column("within_10", "within 10 %", lambda v: f"{v:.1%}"),
    Column("bias", "bias", lambda v: f"{v:+.1%}"),
    Column("spearman", "rank correlation", lambda v: f"{v:.3f}"),
    Column("reading", "reading", right=False),
)


@click.command("fit")
@click.argument("measured", type=FILE)
@click.option("--space", type=click.Choice(SPACES), required=True, help="What the networks are.")
@click.option("--out", type=TABLE, required=True, help="The new table's .csv.")
@click.option(
    "--columns",
    type=COLUMNS,
    help="What MEASURED has where, as in network=arch,latency=lat_us or latency=lat:us.",
)
@click.option("--network-column", help="The column that names networks; default network.")
@click.option(
    "--latency-column",
    help="The column of latencies; its name ends in its unit: _us, _ms or _s; default latency_ms.",
)
@click.option("--resolution", type=click.IntRange(1, 4096), help="Input height and width of the networks.")
@click.option("--classes", type=click.IntRange(1), help="Outputs of their classifiers.")
@click.option("--device-name", help=f"The device that was measured; default {UNKNOWN}.")
@click.option("--runtime", help=f"The runtime it ran in, such as litert; default {UNKNOWN}.")
@click.option("--precision", type=PRECISION, help=f"Default {UNKNOWN}.")
@click.option("--batch", type=BATCH, help="Images a run; default 1.")
@click.option("--threads", type=click.IntRange(1), help="Threads; default 1.")
@format_option
def command(
    measured: Path,
    space: str,
    out: Path,
    columns: Columns | None,
    network_column: str | None,
    latency_column: str | None,
    resolution: int | None,
    classes: int | None,
    device_name: str | None,
    runtime: str | None,
    precision: str | None,
    batch: int | None,
    threads: int | None,
    style: str,
) -> None:
    """Learn a latency table from whole networks that were measured anywhere.

    MEASURED is a CSV file with the columns network and latency_ms (for one run of the batch). The errors
    shown are of networks left out of the fit, a tenth at a time. Rows that cannot be used are left out, with
    line and reason.
    """
    check_new(out)
    request = SettingRequest(runtime, precision, batch, threads)
    named = with_options(columns, network=network_column, latency=latency_column)
    table, left_out = fit_table(measured, space, device_name, request, named, resolution, classes)
    model = FittedTable(table)
    table.save(out)
    error = model.record.error
    errors = np.array([one.left_out_ms / one.latency_ms - 1 for one in model.record.trained_on])
    summary = {
        "table": str(out),
        "space": space,
        "device": model.device,
        "setting": model.setting,
        "networks": error.networks,
        "mean_error": error.mean,
        "median_error": error.median,
        "within_5": float(np.mean(np.abs(errors) <= 0.05)),
        "within_10": float(np.mean(np.abs(errors) <= 0.10)),
        "bias": float(errors.mean()),
        "spearman": error.spearman,
        "reading": model.record.reading,
        "left_out": [asdict(row) for row in left_out],
    }
    answer([summary], FIGURES, style)
    say(
        f"{out}: {model.device} {model.setting}, fitted to {error.networks} networks of {space}; "
        "the errors are of networks left out, a tenth at a time"
    )
    for row in left_out[:_SHOWN]:
        say(f"left out: {measured}, line {row.line}: {row.reason}")
    if len(left_out) > _SHOWN:
        say(f"left out: {len(left_out) - _SHOWN} more rows; --format json lists all")
