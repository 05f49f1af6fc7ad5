"""Rows of `predicted.csv` and `measured.csv`: one form for both, read back with every fault named."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ...atomic import write_text
from ...devices.base import Setting
from ...errors import TableError
from ...quantities import LONGEST_MS
from ...zen.graph_network import AnyNetwork
from ..csv_file import CsvFile, Record, read_csv


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """The latency of one network in one setting, predicted or measured, or why there is none.

    `latency_ms` is for one run of the setting's batch. `half_a_ms` and `half_b_ms` are medians of every
    other round, by which a measurement predicts its own repetition. `reference_ms` is the reference
    workload's time in the same session. `unread_share`: of a prediction, what lies in blocks that were not
    read whole. `table`: what predicted it, by the SHA-256 of what that holds.
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
    unread_share: float | None = None
    sum_ms: float | None = None
    reference_ms: float | None = None
    half_a_ms: float | None = None
    half_b_ms: float | None = None
    spread: float | None = None
    rounds: int | None = None
    runs: int | None = None
    verdict: str | None = None
    versions: str | None = None
    table: str | None = None
    error: str | None = None

    @staticmethod
    def of(network: AnyNetwork, setting: Setting, latency_ms: float, **values: Any) -> LatencyRow:
        """The row of a network whose latency is known."""
        return LatencyRow(
            network=str(network),
            digest=network.digest,
            resolution=network.resolution,
            classes=network.classes,
            device=setting.device,
            setting=str(setting),
            latency_ms=latency_ms,
            latency_per_image_ms=latency_ms / setting.batch,
            **values,
        )


_READ: dict[str, Callable[[CsvFile, Record, str], Any]] = {
    **dict.fromkeys(
        ("network", "digest", "device", "setting", "verdict", "versions", "table", "error"), CsvFile.text
    ),
    **dict.fromkeys(("resolution", "classes", "rounds", "runs"), CsvFile.whole),
}
"""How a column is read; the others hold numbers."""
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
    file = read_csv(path)
    file.need(*_REQUIRED)
    return rows_of(file, {name: name for name in _COLUMNS}, _REQUIRED)


def rows_of(
    file: CsvFile, columns: Mapping[str, str], required: Sequence[str], unit: str | None = None
) -> list[LatencyRow]:
    """The rows of a file in whose columns the fields of a row are; `unit` is that of its `latency_ms`.

    A network twice in a setting, and a field that is required and empty, are TableErrors with their line.
    """
    if not file.records:
        raise TableError(f"{file.path} holds no rows")
    rows: list[LatencyRow] = []
    lines: dict[tuple[str, ...], int] = {}
    for record in file.records:
        row = _row(file, record, columns, required, unit)
        key = (row.network, row.digest, row.device, row.setting)
        if key in lines:
            raise TableError(
                f"{file.place(record)} holds {row.network[:60]} again, as line {lines[key]} does; "
                "keep one of them"
            )
        lines[key] = record.line
        rows.append(row)
    return rows


def _row(
    file: CsvFile, record: Record, columns: Mapping[str, str], required: Sequence[str], unit: str | None
) -> LatencyRow:
    values: dict[str, Any] = dict.fromkeys(("digest", "device", "setting"), "")
    for name, column in columns.items():
        if not file.text(record, column):
            continue
        if name == "std_ms":
            values[name] = _deviation(file, record, column)
        elif name.endswith("_ms"):
            values[name] = file.latency_ms(record, column, unit if name == "latency_ms" else None)
        else:
            values[name] = _READ.get(name, CsvFile.number)(file, record, column)
    for name in required:
        if not values.get(name) and not (name == "latency_ms" and "error" in values):
            raise TableError(f"{file.place(record)} has no {columns[name]}")
    return LatencyRow(**values)


def _deviation(file: CsvFile, record: Record, column: str) -> float | None:
    value = file.number(record, column)
    if value is not None and not 0 <= value <= LONGEST_MS:
        raise TableError(f"{file.place(record)}: {column} is {value:g}, an impossible deviation")
    return value


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.7g}" if isinstance(value, float) else str(value)
