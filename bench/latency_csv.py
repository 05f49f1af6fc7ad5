"""Rows of `predicted.csv` and `measured.csv`: one form for both, read back with every fault named."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..atomic import write_text
from ..errors import TableError


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """The latency of one network in one setting, predicted or measured, or why there is none.

    `latency_ms` is for one run of the setting's batch. `half_a_ms` and `half_b_ms` are medians of every
    other round, by which a measurement predicts its own repetition. `reference_ms` is the reference
    workload's time in the same sitting.
    """

    network: str
    digest: str
    device: str
    setting: str
    resolution: int | None = None
    classes: int | None = None
    latency_ms: float | None = None
    latency_per_image_ms: float | None = None
    std_ms: float | None = None
    coverage: float | None = None
    sum_ms: float | None = None
    reference_ms: float | None = None
    half_a_ms: float | None = None
    half_b_ms: float | None = None
    spread: float | None = None
    rounds: int | None = None
    runs: int | None = None
    verdict: str | None = None
    error: str | None = None


_TEXT = ("network", "digest", "device", "setting", "verdict", "error")
_WHOLE = ("resolution", "classes", "rounds", "runs")
_COLUMNS = tuple(f.name for f in fields(LatencyRow))
_REQUIRED = ("network", "digest", "device", "setting", "latency_ms")


def write_rows(path: Path, rows: Sequence[LatencyRow]) -> None:
    """Writes the columns that hold anything, whole or not at all."""
    used = [
        name for name in _COLUMNS if name in _REQUIRED or any(getattr(row, name) is not None for row in rows)
    ]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(used)
    writer.writerows([_cell(getattr(row, name)) for name in used] for row in rows)
    write_text(path, buffer.getvalue())


def read_rows(path: Path) -> list[LatencyRow]:
    """The rows of a file; unknown columns are left alone, anything else amiss is a TableError."""
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise TableError(
            f"there is no file {path}; make one with zenbench predict or measure --out"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path} cannot be read: {error}") from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        _check_header(reader.fieldnames or (), path)
        rows = [_row(record, f"{path} line {reader.line_num}") for record in reader]
    except csv.Error as error:
        raise TableError(f"{path} line {max(1, reader.line_num)} is not valid CSV: {error}") from None
    if not rows:
        raise TableError(f"{path} holds no rows")
    return rows


def _check_header(names: Sequence[str], path: Path) -> None:
    missing = [name for name in _REQUIRED if name not in names]
    if missing:
        raise TableError(f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}")
    twice = [name for name in _COLUMNS if names.count(name) > 1]
    if twice:
        raise TableError(f"{path} has the column {twice[0]} more than once")


def _row(record: dict[str, Any], place: str) -> LatencyRow:
    if None in record or None in record.values():
        raise TableError(f"{place} has another number of cells than the header")
    values: dict[str, Any] = {}
    for name in _COLUMNS:
        cell = record.get(name, "").strip()
        if cell:
            values[name] = cell if name in _TEXT else _number(cell, name, place)
    for name in _REQUIRED:
        if name not in values and not (name == "latency_ms" and "error" in values):
            raise TableError(f"{place} has no {name}")
    for name, value in values.items():
        # Only a deviation may be zero; everything else is divided by.
        if name.endswith("_ms") and (value < 0 or (value == 0 and name != "std_ms")):
            raise TableError(f"{place} has the impossible {name} {value:g}")
    return LatencyRow(**values)


def _number(cell: str, name: str, place: str) -> float | int:
    try:
        value = int(cell) if name in _WHOLE else float(cell)
    except ValueError:
        raise TableError(f"{place}: {name} is '{cell}', not a number") from None
    if not math.isfinite(value):
        raise TableError(f"{place}: {name} is {cell}; it must be finite")
    return value


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.7g}" if isinstance(value, float) else str(value)
