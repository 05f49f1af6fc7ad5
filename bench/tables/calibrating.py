"""Whole-network measurements from a user's file, to calibrate a modelled table on."""

from __future__ import annotations

from pathlib import Path

from ...devices.base import Setting
from ...errors import TableError, UserError
from ...latency_tables.modelled.roofline_fit import Observation
from ..csv_file import CsvFile, Record, read_csv
from ..latency_files.columns import Columns
from ..latency_files.measured_networks import measured_networks


def read_measurements(path: Path, setting: Setting) -> tuple[list[str], list[Observation]]:
    """Names and latencies for one run of the setting's batch.

    The file needs the columns network and latency_ms; where it also has device and setting, resolution and
    classes, as zenbench's own measured.csv, these count too. Rows that hold an error are left out. Raises
    TableError with the line at fault.
    """
    names: list[str] = []
    observations: list[Observation] = []
    file = read_csv(path)
    for record, network, latency_ms in measured_networks(file, Columns(), "used for calibration"):
        _check_setting(file, record, setting)
        names.append(network.name or str(network))
        observations.append(Observation(network, latency_ms))
    if not observations:
        raise TableError(f"{path} holds no measured network")
    return names, observations


def _check_setting(file: CsvFile, record: Record, setting: Setting) -> None:
    """The pinning may differ: it is the driver's word for what a published figure calls one big core."""
    place, text = file.place(record), file.text(record, "setting")
    device = file.text(record, "device") if "device" in file.columns else setting.device
    try:
        given = Setting.parse(device, text) if text else setting
    except UserError as error:
        raise TableError(f"{place}: {error}") from None
    if (device, given.file_stem) != (setting.device, setting.file_stem):
        raise TableError(
            f"{place} was measured on {device} {text}, but the table is of {setting.device} {setting}; "
            "choose its table with --device, --runtime, --precision, --batch and --threads"
        )
