"""Whole-network measurements from a user's file, to calibrate a modelled table on."""

from __future__ import annotations

from pathlib import Path

from ..devices.base import Setting
from ..errors import TableError, UserError
from ..latency_tables.roofline_fit import Observation
from ..zen.network import Network
from .csv_reading import CsvFile, Record, read_csv
from .networks import networks_only, read


def read_measurements(path: Path, setting: Setting) -> tuple[list[str], list[Observation]]:
    """Names and latencies for one run of the setting's batch.

    The file needs the columns network and latency_ms; where it also has device and setting, resolution and
    classes, as zenbench's own measured.csv, these count too. Rows that hold an error are left out. Raises
    TableError with the line at fault.
    """
    names: list[str] = []
    observations: list[Observation] = []
    lines: dict[str, int] = {}
    file = read_csv(path)
    file.need("network", "latency_ms")
    for record in file.records:
        if file.text(record, "error"):
            continue
        _check_setting(file, record, setting)
        network = _network(file, record)
        if network.digest in lines:
            raise TableError(
                f"{file.place(record)} measures {file.text(record, 'network')[:60]} again, "
                f"as line {lines[network.digest]} does; keep one of them"
            )
        lines[network.digest] = record.line
        names.append(network.name or str(network))
        observations.append(Observation(network, file.latency_ms(record, "latency_ms")))
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


def _network(file: CsvFile, record: Record) -> Network:
    text = file.text(record, "network")
    resolution, classes = (file.whole(record, name) for name in ("resolution", "classes"))
    if not text:
        raise TableError(f"{file.place(record)} names no network")
    try:
        (network,) = networks_only([read(text, resolution, classes)], "used for calibration")
    except UserError as error:
        raise TableError(f"{file.place(record)}: {error}") from None
    return network
