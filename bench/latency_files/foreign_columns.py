"""Latencies from files of other tools: whose columns have other names, and which name no setting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

from ...errors import TableError
from ..csv_file import CsvFile, read_csv
from ..networks.reading import read_network
from .columns import Columns
from .latency_rows import LatencyRow, rows_of

_IDENTITY = ("digest", "device", "setting")


def read_either(path: Path, columns: Columns, optional: bool = False) -> list[LatencyRow]:
    """The rows of a file of ours or of another tool, which may lack digest, device and setting.

    What it lacks is empty, for `completed`. A network that can be read is written as zenbench writes it.
    `optional`: a file with none of the columns named has its own names.
    """
    file = read_csv(path)
    if optional and not set(columns.names.values()) & set(file.columns):
        columns = Columns()
    own = {one.name: one.name for one in fields(LatencyRow)}
    names = {"latency_ms" if name == "latency" else name: column for name, column in columns.names.items()}
    places = {**own, **names}
    wanted = dict.fromkeys([places["network"], places["latency_ms"], *names.values()])
    missing = [column for column in wanted if column not in file.columns]
    if missing and not columns.names:
        raise TableError(_how_to_name(file, missing))
    file.need(*wanted)
    required = ["network", "latency_ms", *(n for n in _IDENTITY if places[n] in file.columns)]
    rows = rows_of(file, places, required, columns.unit)
    return [row if row.digest else _spelled(row) for row in rows]


def _how_to_name(file: CsvFile, missing: Sequence[str]) -> str:
    return (
        f"{file.path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; it has "
        f"{', '.join(file.columns) or 'none'}: name them with --columns network=COLUMN,latency=COLUMN"
    )


def _spelled(row: LatencyRow) -> LatencyRow:
    """With the text that zenbench writes its network as."""
    network = read_network(row.network, row.resolution, row.classes)
    return row if network is None else replace(row, network=str(network))


def _identified(row: LatencyRow) -> LatencyRow:
    """With the digest of its text; of a text that says no network, the text."""
    network = read_network(row.network, row.resolution, row.classes)
    return replace(row, digest=row.network if network is None else network.digest)


def completed(rows: Sequence[LatencyRow], others: Sequence[LatencyRow]) -> list[LatencyRow]:
    """Rows that lack a setting, a digest or a resolution, with those of the same network in the other file.

    A setting is taken over where the other file has one only, a resolution where it has one of that network.
    """
    named = {(other.device, other.setting) for other in others if other.setting}
    device, setting = next(iter(named)) if len(named) == 1 else ("", "")
    by_text: dict[str, set[tuple[str, int | None, int | None]]] = defaultdict(set)
    for other in others:
        if other.digest or other.resolution:
            known = other if other.digest else _identified(other)
            by_text[known.network].add((known.digest, known.resolution, known.classes))

    def complete(row: LatencyRow) -> LatencyRow:
        if not row.setting and row.device in ("", device):
            row = replace(row, device=device, setting=setting)
        if row.digest:
            return row
        same = by_text[row.network]
        if len(same) == 1:
            digest, resolution, classes = next(iter(same))
            if row.resolution in (None, resolution) and row.classes in (None, classes):
                return replace(row, digest=digest, resolution=resolution, classes=classes)
        return _identified(row)

    return [complete(row) for row in rows]
