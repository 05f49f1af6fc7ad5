"""Whole-network measurements from a user's file, to calibrate a modelled table on."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from math import isfinite
from pathlib import Path

from ..devices.base import Setting
from ..errors import TableError, UserError
from ..latency_tables.roofline_fit import Observation
from ..zen.network import Network
from .networks import networks_only, read

_NEEDED = ("network", "latency_ms")


def read_measurements(path: Path, setting: Setting) -> tuple[list[str], list[Observation]]:
    """Names and latencies for one run of the setting's batch.

    The file needs the columns network and latency_ms; where it also has device and setting, resolution and
    classes, as zenbench's own measured.csv, these count too. Rows that hold an error are left out. Raises
    TableError with the line at fault.
    """
    names: list[str] = []
    observations: list[Observation] = []
    lines: dict[str, int] = {}
    for number, row in _rows(path):
        place = f"{path} line {number}"
        if row.get("error"):
            continue
        _check_setting(row, setting, place)
        network = _network(row, place)
        if network.digest in lines:
            raise TableError(
                f"{place} measures {row['network'][:60]} again, as line {lines[network.digest]} does; "
                "keep one of them"
            )
        lines[network.digest] = number
        names.append(network.name or str(network))
        observations.append(Observation(network, _latency_ms(row["latency_ms"], place)))
    if not observations:
        raise TableError(f"{path} holds no measured network")
    return names, observations


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path} cannot be read: {error}") from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        missing = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
        if missing:
            raise TableError(f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}")
        for row in reader:
            if None in row or None in row.values():
                raise TableError(f"{path} line {reader.line_num} has another number of cells than the header")
            yield reader.line_num, {key: value.strip() for key, value in row.items()}
    except csv.Error as error:
        raise TableError(f"{path} line {max(1, reader.line_num)} is not valid CSV: {error}") from None


def _check_setting(row: dict[str, str], setting: Setting, place: str) -> None:
    """The pinning may differ: it is the driver's word for what a published figure calls one big core."""
    device, text = row.get("device", setting.device), row.get("setting")
    try:
        given = Setting.parse(device, text) if text else setting
    except UserError as error:
        raise TableError(f"{place}: {error}") from None
    if (device, given.file_stem) != (setting.device, setting.file_stem):
        raise TableError(
            f"{place} was measured on {device} {text or ''}, but the table is of {setting.device} {setting}; "
            "choose its table with --device, --runtime, --precision, --batch and --threads"
        )


def _network(row: dict[str, str], place: str) -> Network:
    sizes = []
    for name in ("resolution", "classes"):
        cell = row.get(name) or None
        if cell is not None and not (cell.isascii() and cell.isdecimal() and int(cell) > 0):
            raise TableError(f"{place}: {name} is '{cell}', not a whole number above 0")
        sizes.append(int(cell) if cell else None)
    if not row["network"]:
        raise TableError(f"{place} names no network")
    try:
        (network,) = networks_only([read(row["network"], *sizes)], "used for calibration")
    except UserError as error:
        raise TableError(f"{place}: {error}") from None
    return network


def _latency_ms(cell: str, place: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise TableError(f"{place}: latency_ms is '{cell}', not a number") from None
    if not isfinite(value) or value <= 0:
        raise TableError(f"{place}: latency_ms is {cell}; it must be finite and above 0")
    return value
