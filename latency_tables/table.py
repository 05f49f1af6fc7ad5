"""LatencyTable: measured workloads of one setting, with the card that says where they come from.

On disk a table is three files: `<name>.csv` (one row a workload), `<name>.networks.csv` (whole networks
measured beside them, each to calibrate on or to judge predictions by) and the card `<name>.json`, written
last and holding the digests of the other two.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from ..atomic import json_text, write_text
from ..devices.base import Setting
from ..errors import NetworkError, TableError, UserError
from ..units import LONGEST_MS, SHORTEST_MS
from ..zen.network import Network, from_json
from ..zen.workload import Workload
from .fitted.record import FittedRecord
from .modelled.record import ModelRecord
from .modelled.roofline import ModelError

SCHEMA = "zenbench-table/1"
_WIDEST, _MOST_RUNS = 1e6, 10**9
Provenance = Literal["measured", "fitted", "modelled"]
Verdict = Literal["quiet", "noisy", "throttled"]
Role = Literal["calibrating", "judging"]
"""What a whole network in a table is for: to be learned from, or never."""


@dataclass(frozen=True, slots=True)
class Row:
    """How long something takes for one run of the setting's batch.

    `latency_ms`: median over rounds of the ratio to the reference workload, times the reference's own
    median over the table, so that a clock that drifts does not matter. `median_ms`: the plain median of
    rounds. `spread`: relative standard deviation of a round's ratio, from quartiles.
    """

    latency_ms: float
    median_ms: float
    spread: float
    rounds: int
    runs: int
    verdict: Verdict

    @property
    def std_ms(self) -> float:
        """Standard error of `latency_ms`: that of a median of `rounds` values."""
        return 1.253 * self.spread * self.latency_ms / math.sqrt(self.rounds)


@dataclass(frozen=True)
class Card:
    """What makes a table's numbers mean something.

    `reference`, `reference_ms`: the workload timed beside every round; None where none was, as in what
    other tools measured. `recipe` is empty where it is not known. A `modelled` or `fitted` table has
    neither, and no rows but a `model`: see `ModelRecord` and `FittedRecord`.
    """

    setting: Setting
    provenance: Provenance
    identity: Mapping[str, str]
    versions: Mapping[str, str]
    recipe: Mapping[str, Any]
    reference: str | None
    reference_ms: float | None
    created: str
    source: str
    model: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class LatencyTable:
    """Rows of one setting: workloads, and whole networks measured in the same sittings.

    Predictions are calibrated on `networks`; `judges` are never learned from, so that they tell how true
    the predictions are.
    """

    card: Card
    rows: Mapping[Workload, Row]
    networks: Mapping[Network, Row] = field(default_factory=dict)
    judges: Mapping[Network, Row] = field(default_factory=dict)

    def merged_with(self, other: LatencyTable) -> LatencyTable:
        """Both tables' rows, the same workload averaged by rounds; raises TableError for other settings."""
        mine, theirs = self.card, other.card
        for card in (mine, theirs):
            if card.model is not None:
                raise TableError(
                    f"a {card.provenance} table does not merge: it has no rows; give measured tables only"
                )
        if mine.setting != theirs.setting:
            raise TableError(f"tables of two settings do not merge: {mine.setting} and {theirs.setting}")
        if dict(mine.identity) != dict(theirs.identity):
            raise TableError("tables of two machines do not merge: their cards name different identities")
        networks = _merge(self.networks, other.networks)
        judges = _merge(self.judges, other.judges)
        # What one of the two learned from can judge no more.
        unseen = {network: row for network, row in judges.items() if network not in networks}
        return LatencyTable(mine, _merge(self.rows, other.rows), networks, unseen)

    def save(self, path: Path) -> None:
        """Writes the three files, each whole or not at all, the card last."""
        rows = _to_csv(("workload",), (((str(key),), row) for key, row in self.rows.items()))
        groups: tuple[tuple[Role, Mapping[Network, Row]], ...] = (
            ("calibrating", self.networks),
            ("judging", self.judges),
        )
        networks = _to_csv(
            ("network", "digest", "role"),
            (
                ((*_network_cells(network), role), row)
                for role, group in groups
                for network, row in group.items()
            ),
        )
        card = {"schema": SCHEMA, **asdict(self.card), "sha256": _digests(rows, networks)}
        if card["model"] is None:
            del card["model"]
        card_text = json_text(card)  # before anything is written: what JSON cannot hold costs no table
        write_text(path, rows)
        write_text(networks_path(path), networks)
        write_text(card_path(path), card_text)

    @staticmethod
    def load(path: Path) -> LatencyTable:
        """The table at `path` (its CSV); raises TableError in one sentence for whatever is wrong."""
        card_data = _read_card(path)
        texts = [_read(file) for file in (path, networks_path(path))]
        if card_data.pop("sha256", None) != _digests(*texts):
            raise TableError(
                f"table {path} does not match its card: it was changed or only half written; "
                "run zenbench profile again to rebuild it from its journal"
            )
        rows = {_workload(cells[0], path): row for cells, row in _from_csv(texts[0], 1, path)}
        networks, judges = _networks_from_csv(texts[1], path)
        card = _card(card_data, path)
        if card.model is not None and (rows or networks or judges):
            raise TableError(f"table {path} has a model and rows, but a {card.provenance} table has no rows")
        return LatencyTable(card, rows, networks, judges)


def card_path(path: Path) -> Path:
    return path.with_suffix(".json")


def networks_path(path: Path) -> Path:
    return path.with_suffix(".networks.csv")


def _merge(mine: Mapping[Any, Row], theirs: Mapping[Any, Row]) -> dict[Any, Row]:
    merged = dict(mine)
    for key, row in theirs.items():
        merged[key] = _average(merged[key], row) if key in merged else row
    return merged


def _average(one: Row, two: Row) -> Row:
    rounds = one.rounds + two.rounds
    share = one.rounds / rounds

    def mix(a: float, b: float) -> float:
        return share * a + (1 - share) * b

    return Row(
        latency_ms=mix(one.latency_ms, two.latency_ms),
        median_ms=mix(one.median_ms, two.median_ms),
        # Two sittings that disagree are less sure than either of them says.
        spread=math.hypot(
            mix(one.spread, two.spread),
            abs(one.latency_ms - two.latency_ms) / (one.latency_ms + two.latency_ms),
        ),
        rounds=rounds,
        runs=one.runs + two.runs,
        verdict=max(one.verdict, two.verdict, key=("quiet", "noisy", "throttled").index),
    )


_COLUMNS = tuple(f.name for f in fields(Row))


def _to_csv(keys: tuple[str, ...], rows: Iterable[tuple[tuple[str, ...], Row]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*keys, *_COLUMNS])
    for cells, row in rows:
        numbers = (f"{value:.7g}" if isinstance(value, float) else value for value in asdict(row).values())
        writer.writerow([*cells, *numbers])
    return buffer.getvalue()


def _from_csv(text: str, keys: int, path: Path) -> Iterable[tuple[list[str], Row]]:
    try:
        lines = list(csv.reader(io.StringIO(text)))
    except csv.Error as error:
        raise TableError(f"{path} is not valid CSV: {error}") from None
    if not lines or tuple(lines[0][keys:]) != _COLUMNS:
        raise TableError(f"{path} lacks the columns of a latency table: {', '.join(_COLUMNS)}")
    for number, cells in enumerate(lines[1:], 2):
        yield cells[:keys], _row(cells[keys:], f"{path} line {number}")


def _networks_from_csv(text: str, path: Path) -> tuple[dict[Network, Row], dict[Network, Row]]:
    """Calibrating and judging networks; a file from before there were roles holds only the first."""
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
        latency, median, spread, rounds, runs, verdict = cells
        row = Row(float(latency), float(median), float(spread), int(rounds), int(runs), verdict)  # type: ignore[arg-type]
    except ValueError:
        raise TableError(f"{place} is no table row") from None
    times, counts = (row.latency_ms, row.median_ms), (row.rounds, row.runs)
    plausible = all(SHORTEST_MS <= ms <= LONGEST_MS for ms in times) and 0 <= row.spread <= _WIDEST
    plausible = plausible and all(1 <= count <= _MOST_RUNS for count in counts)
    if not plausible or verdict not in ("quiet", "noisy", "throttled"):
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


def _card(data: dict[str, Any], path: Path) -> Card:
    try:
        setting = Setting(**data.pop("setting"))
        card = Card(setting=setting, **data)
        # Read back from its text, a setting has entries of the right types.
        whole = Setting.parse(setting.device, str(setting)) == setting
        usable = whole and _has_types(card) and _has_basis(card)
    except (TypeError, ValueError, KeyError, AttributeError, UserError):
        usable = False
    if not usable:
        raise TableError(
            f"card {card_path(path)} has missing or unknown entries; run zenbench profile again to rebuild it"
        )
    try:
        if card.model is not None:
            record_type = FittedRecord if card.provenance == "fitted" else ModelRecord
            record_type.from_json(card.model)
    except ModelError as error:
        raise TableError(
            f"card {card_path(path)} holds a damaged model: {error}; "
            "remove its table, or install zenbench again"
        ) from None
    return card


def _has_types(card: Card) -> bool:
    """Whether a card's entries are of their types, as far as anything relies on it."""
    texts = (card.setting.device, card.created, card.source)
    groups = (card.identity, card.versions, card.recipe)
    return all(isinstance(one, str) for one in texts) and all(isinstance(one, dict) for one in groups)


def _has_basis(card: Card) -> bool:
    """Whether a card says what its numbers rest on: measured rounds, or a model and nothing measured."""
    if card.provenance in ("modelled", "fitted"):
        return card.model is not None and card.reference is None and card.reference_ms is None
    return card.provenance == "measured" and card.model is None and _has_reference(card)


def _has_reference(card: Card) -> bool:
    """Whether a card names its reference workload with a time, or neither."""
    if card.reference is None or card.reference_ms is None:
        return card.reference is None and card.reference_ms is None
    return type(card.reference_ms) in (int, float) and 0 < card.reference_ms < math.inf


def _digests(*texts: str) -> dict[str, str]:
    names = ("rows", "networks")
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in zip(names, texts, strict=True)}
