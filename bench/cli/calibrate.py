"""`zenbench calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...devices.card import THIS_COMPUTER, card
from ...errors import TableError
from ...latency_tables.model_statistics import ErrorStatistics
from ...latency_tables.modelled.calibration import calibrate_model
from ...latency_tables.modelled.record import ModelRecord
from ...latency_tables.predictor import predictor
from ...latency_tables.store import shipped, user_path
from ...latency_tables.table import LatencyTable
from ...quantities import format_ms
from ..measuring.journal import utc_now
from ..tables.calibrating import read_measurements
from ..tables.prediction import check_asked
from .shared.options import FILE, format_option, setting_options, setting_request
from .shared.output import Column, answer, say

COLUMNS = (
    Column("network", "network", right=False),
    Column("measured_ms", "measured", format_ms),
    Column("before_ms", "before", format_ms),
    Column("before", "error", lambda v: f"{v:+.1%}"),
    Column("left_out_ms", "left out", format_ms),
    Column("left_out", "error", lambda v: f"{v:+.1%}"),
)


@click.command("calibrate")
@click.argument("measured", type=FILE)
@setting_options
@format_option
def command(measured: Path, device: str | None, table: Path | None, style: str, **options: Any) -> None:
    """Improve a modelled table with whole networks that you measured.

    MEASURED is a CSV file with the columns network and latency_ms (for one run of the batch), or the
    measured.csv of zenbench measure. The published fit moves towards your figures: its speed as a whole
    from two networks on, its coefficients the more there are. The calibrated table is kept as your own.
    """
    asked = setting_request(options)
    if table:
        published = LatencyTable.load(table)
        check_asked(published, table, device, asked)
    else:
        published = shipped(card(device or THIS_COMPUTER).setting(asked, "free"))
    setting = published.card.setting
    path = user_path(setting)
    if path.exists() and predictor(LatencyTable.load(path)).table.card.provenance != "modelled":
        raise TableError(f"{path} was measured, which is better than any model; remove it to calibrate one")
    before = predictor(published)
    names, observations = read_measurements(measured, setting)
    calibrated = calibrate_model(published, names, observations, utc_now())
    calibrated.save(path)
    record = ModelRecord.from_json(calibrated.card.model)
    answer(
        [
            {
                "network": one.network,
                "measured_ms": one.latency_ms,
                "before_ms": (ms := before.estimate(observation.network).ms),
                "before": ms / one.latency_ms - 1,
                "left_out_ms": one.left_out_ms,
                "left_out": one.left_out_ms / one.latency_ms - 1,
            }
            for one, observation in zip(record.newest, observations, strict=True)
        ],
        COLUMNS,
        style,
    )
    if record.calibration:
        errors = record.calibration
        say(
            f"{setting.device} {setting}: {_error(errors.before)} as published, "
            f"{_error(errors.after)} on each network left out of the calibration"
        )
    say(f"{path}: calibrated on {len(names)} networks")


def _error(error: ErrorStatistics) -> str:
    return f"median error {error.median:.1%}, mean {error.mean:.1%}"
