"""The three files of a table, written whole and read strictly.

They are `<name>.csv` (one row a workload), `<name>.networks.csv` (whole networks measured beside them, each
to calibrate on or to judge predictions by) and the card `<name>.json`, written last and holding the digests
of the other two.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NamedTuple, get_args

from ..atomic import json_text, write_text
from ..devices.base import Setting
from ..errors import NetworkError, TableError
from ..zen.network import Network, from_json
from ..zen.workload import Workload
from .card import SCHEMA, TableCard
from .row import VERDICTS, Basis, Role, Row


class TableRows(NamedTuple):
    """What is measured in a table: workloads, and whole networks by their role."""

    workloads: Mapping[Workload, Row]
    networks: Mapping[Network, Row]
    hold_out: Mapping[Network, Row]


def write_files(path: Path, card: TableCard, rows: TableRows) -> None:
    """Writes the three files, each whole or not at all, the card last.

    Raises TableError, before anything is written, for a row that could not be read again.
    """
    check_rows(rows)
    workloads_text = _to_csv(("workload",), (((str(key),), row) for key, row in rows.workloads.items()))
    groups: tuple[tuple[Role, Mapping[Network, Row]], ...] = (
        ("calibrating", rows.networks),
        ("judging", rows.hold_out),
    )
    networks_text = _to_csv(
        ("network", "digest", "role"),
        (((*_network_cells(network), role), row) for role, group in groups for network, row in group.items()),
    )
    record = {"schema": SCHEMA, **asdict(card), "sha256": _digests(workloads_text, networks_text)}
    for optional, usual in (("imported", None), ("model", None), ("basis", "alone")):
        if record[optional] == usual:
            del record[optional]
    card_text = json_text(record)  # before anything is written: what JSON cannot hold costs no table
    write_text(path, workloads_text)
    write_text(networks_path(path), networks_text)
    write_text(card_path(path), card_text)


def check_rows(rows: TableRows) -> None:
    """Raises TableError for a row that no device can have."""
    for group in rows:
        for key, row in group.items():
            if not row.is_possible:
                raise TableError(
                    f"{key} has an impossible value: {row.latency_ms:g} ms, median {row.median_ms:g} ms, "
                    f"cold {row.cold_ms or 0:g} ms, spread {row.spread:g}, {row.runs:g} runs"
                )


def read_files(path: Path) -> tuple[TableCard, TableRows]:
    """What the files hold; raises TableError in one sentence for whatever is wrong."""
    record = _read_card(path)
    texts = [_read(file) for file in (path, networks_path(path))]
    if record.pop("sha256", None) != _digests(*texts):
        raise TableError(
            f"table {path} does not match its card: it was changed or only half written; "
            "run zenbench profile again to rebuild it from its journal"
        )
    workloads = {_workload(cells[0], path): row for cells, row in _from_csv(texts[0], 1, path)}
    rows = TableRows(workloads, *_networks_from_csv(texts[1], path))
    card = _card(record, path)
    if card.model is not None and any(rows):
        raise TableError(f"table {path} has a model and rows, but a {card.provenance} table has no rows")
    return card, rows


def card_path(path: Path) -> Path:
    return path.with_suffix(".json")


def networks_path(path: Path) -> Path:
    return path.with_suffix(".networks.csv")


_COLUMNS = tuple(f.name for f in fields(Row))
_BEFORE = _COLUMNS[: _COLUMNS.index("cold_ms")]
"""The columns of tables from before units were timed in contexts."""


def _to_csv(keys: tuple[str, ...], rows: Iterable[tuple[tuple[str, ...], Row]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*keys, *_COLUMNS])
    for cells, row in rows:
        # What is not known has an empty cell.
        numbers = (f"{value:.7g}" if isinstance(value, float) else value for value in asdict(row).values())
        writer.writerow([*cells, *numbers])
    return buffer.getvalue()


def _from_csv(text: str, keys: int, path: Path) -> Iterable[tuple[list[str], Row]]:
    try:
        lines = list(csv.reader(io.StringIO(text)))
    except csv.Error as error:
        raise TableError(f"{path} is not valid CSV: {error}") from None
    if not lines or tuple(lines[0][keys:]) not in (_COLUMNS, _BEFORE):
        raise TableError(f"{path} lacks the columns of a latency table: {', '.join(_COLUMNS)}")
    for number, cells in enumerate(lines[1:], 2):
        place = f"{path} line {number}"
        if len(cells) != len(lines[0]):
            raise TableError(f"{place} is no table row")
        yield cells[:keys], _row(cells[keys:], place)


def _networks_from_csv(text: str, path: Path) -> tuple[dict[Network, Row], dict[Network, Row]]:
    """Calibrating and hold-out networks; a file from before there were roles holds only the first."""
    file = networks_path(path)
    has_role = text.startswith("network,digest,role,")
    groups: dict[str, dict[Network, Row]] = {"calibrating": {}, "judging": {}}
    for cells, row in _from_csv(text, 3 if has_role else 2, file):
        role = cells[2] if has_role else "calibrating"
        if role not in groups:
            raise TableError(f"{file}: a network's role is calibrating or judging, not '{role}'")
        groups[role][_network(cells[0], path)] = row
    return groups["calibrating"], groups["judging"]


def _row(cells: list[str], place: str) -> Row:
    try:
        latency, median, spread, rounds, runs, verdict, cold, basis = (*cells, "", "")[: len(_COLUMNS)]
        row = Row(
            float(latency),
            float(median),
            float(spread),
            int(rounds),
            int(runs),
            verdict,  # type: ignore[arg-type]
            float(cold) if cold else None,
            basis or None,  # type: ignore[arg-type]
        )
    except ValueError:
        raise TableError(f"{place} is no table row") from None
    if not row.is_possible or verdict not in VERDICTS or row.basis not in (None, "alone"):
        raise TableError(f"{place} holds an impossible value")
    return row


def _network_cells(network: Network) -> tuple[str, str]:
    return json.dumps(network.to_json(), separators=(",", ":")), network.digest


def _workload(key: str, path: Path) -> Workload:
    try:
        return Workload.parse(key)
    except NetworkError as error:
        raise TableError(f"{path}: {error}") from None


def _network(text: str, path: Path) -> Network:
    try:
        return from_json(json.loads(text))
    except (ValueError, RecursionError, NetworkError) as error:
        raise TableError(f"{networks_path(path)}: {error}") from None


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise TableError(f"{path} does not exist; build a table with zenbench profile") from None
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path} cannot be read: {error}") from None


def _read_card(path: Path) -> dict[str, Any]:
    file = card_path(path)
    if path.exists() and not file.exists():
        raise TableError(f"table {path} has no card {file.name}, so its setting is unknown; profile again")
    if not path.exists():
        raise TableError(f"there is no table {path}; build one with zenbench profile --table {path}")
    try:
        data = json.loads(_read(file), parse_int=_whole)
    except (ValueError, RecursionError):
        raise TableError(f"card {file} is not valid JSON; run zenbench profile again to rebuild it") from None
    if not isinstance(data, dict) or data.pop("schema", None) != SCHEMA:
        raise TableError(f"card {file} is not of the form {SCHEMA}; run zenbench profile again to rebuild it")
    return data


def _whole(digits: str) -> float:
    """An integer of a card; infinite, which every check refuses, where floats might not hold it."""
    return int(digits) if len(digits) < _DIGITS else math.inf


_DIGITS = 19


def _card(data: dict[str, Any], path: Path) -> TableCard:
    try:
        setting = Setting(**data.pop("setting"))
        card = TableCard(setting=setting, **data)
        usable = setting.is_whole and _has_types(card) and _has_basis(card)
    except (TypeError, ValueError, KeyError, AttributeError):
        usable = False
    if not usable:
        raise TableError(
            f"card {card_path(path)} has missing or unknown entries; run zenbench profile again to rebuild it"
        )
    return card


def _has_types(card: TableCard) -> bool:
    """Whether a card's entries are of their types, as far as anything relies on it."""
    texts = (card.setting.device, card.created, card.source)
    groups = (card.identity, card.versions, card.recipe, card.imported or {})
    return all(isinstance(one, str) for one in texts) and all(isinstance(one, dict) for one in groups)


def _has_basis(card: TableCard) -> bool:
    """Whether a card says what its numbers rest on: measured rounds, or a model and nothing measured."""
    if card.basis not in get_args(Basis):
        return False
    if card.provenance in ("modelled", "fitted"):
        return card.model is not None and card.reference is None and card.reference_ms is None
    return card.provenance == "measured" and card.model is None and _has_reference(card)


def _has_reference(card: TableCard) -> bool:
    """Whether a card names its reference workload with a time, or neither."""
    if card.reference is None or card.reference_ms is None:
        return card.reference is None and card.reference_ms is None
    return type(card.reference_ms) in (int, float) and 0 < card.reference_ms < math.inf


def _digests(*texts: str) -> dict[str, str]:
    names = ("rows", "networks")
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in zip(names, texts, strict=True)}
