"""`zenbench measure`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ...devices.base import Device, Setting
from ...devices.card import card
from ...units import format_ms
from ..journal import Journal
from ..latency_csv import LatencyRow, write_rows
from ..networks import Given
from ..profiling import journal_path
from ..whole import RECIPE, measure
from .options import (
    FILE,
    chosen_device,
    chosen_networks,
    format_option,
    measuring_options,
    network_options,
    per_image_option,
)
from .output import NETWORK_COLUMN, Column, answer, row_record, say
from .progress import progress

COLUMNS = (
    NETWORK_COLUMN,
    Column("latency_ms", "latency", format_ms),
    Column("latency_per_image_ms", "per image", format_ms),
    Column("std_ms", "std", format_ms),
    Column("spread", "spread of rounds", lambda v: f"{v:.1%}"),
    Column("rounds", "rounds"),
    Column("runs", "runs"),
    Column("verdict", "verdict", right=False),
    Column("error", "error", right=False),
)


@click.command("measure")
@network_options
@measuring_options
@per_image_option
@click.option("--out", type=FILE, default="measured.csv", show_default=True, help="Where the rows go.")
@format_option
def command(device: str, per_image: bool, out: Path, style: str, **options: Any) -> int:
    """Latency of whole networks, measured on a device in interleaved rounds.

    All raw samples are kept in OUT's journal. Exit code 3 where a network could not be measured.
    """
    given = chosen_networks(options)
    driver, setting = chosen_device(device, options)
    rows = run_measure(driver, setting, given, out)
    records = [row_record(row, item) for row, item in zip(rows, dict.fromkeys(given), strict=True)]
    answer(records, [c for c in COLUMNS if per_image or setting.batch > 1 or c.heading != "per image"], style)
    return 3 if any(row.error for row in rows) else 0


def run_measure(driver: Device, setting: Setting, given: Sequence[Given], out: Path) -> list[LatencyRow]:
    """Measures with a progress display and writes the rows."""
    say(f"measuring {len(given)} networks on {setting.device} {setting}")
    with Journal(journal_path(out)) as journal, progress("measure", len(given) * RECIPE.rounds) as meter:
        recipe = RECIPE.adapted(card(driver.name).recipe)

        def report(rounds: int) -> None:
            meter(rounds, f"{rounds} rounds")

        rows = measure(driver, setting, given, journal, report, recipe)
    write_rows(out, rows)
    say(f"{out}: {len(rows)} networks")
    return rows
