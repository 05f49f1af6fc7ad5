"""Everything that a report is made of, read from a run folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import TableError, UserError
from ...latency_tables.card import SCHEMA
from ...latency_tables.predictor import Predictor, predictor
from ...latency_tables.store import all_paths
from ...latency_tables.table import LatencyTable
from ...latency_tables.table_files import card_path
from ..comparing.agreement import Agreement, PredictedPair, agree
from ..latency_files.latency_rows import read_rows
from ..measuring.drift import Drift, read_drift
from ..measuring.journal import journal_path
from ..searching.candidate_records import CandidateRecord
from ..searching.reading import LimitedLatency, Search, read_search, scored
from ..searching.run_folder import RESULT, STATE
from ..searching.task_record import table_digest
from ..tables.block_latencies import Blocks, block_latencies
from ..training.card import CARD, TrainingCard, read_card

MEASURED, PREDICTED = "measured.csv", "predicted.csv"


@dataclass(frozen=True)
class NamedTable:
    """A table and the name that it goes by in the report."""

    name: str
    table: LatencyTable


@dataclass(frozen=True)
class Facts:
    """What a run folder holds.

    `unknown_tables`: those that a search asked and that are nowhere now. `others`: predicted networks that
    are none of the search's. `disagreement`: why the two CSVs there cannot be compared.
    """

    folder: Path
    tables: tuple[NamedTable, ...]
    unknown_tables: tuple[LimitedLatency, ...]
    drifts: tuple[Drift, ...]
    search: Search | None
    blocks: Blocks | None
    others: tuple[CandidateRecord, ...]
    has_measured: bool
    has_predicted: bool
    agreement: Agreement | None
    disagreement: str | None
    training: TrainingCard | None = None

    @property
    def has_only_training(self) -> bool:
        return self.training is not None and not (
            self.search or self.tables or self.has_measured or self.has_predicted
        )

    @property
    def chosen_pair(self) -> PredictedPair | None:
        """The search's network among those that were compared."""
        if self.agreement is None or self.search is None:
            return None
        digest = self.search.network.digest
        return next((pair for pair in self.agreement.pairs if pair.digest == digest), None)


def gather(folder: Path) -> Facts:
    """Reads a folder; raises UserError where it is no run of zenbench or one of its files is damaged."""
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; make one with zenbench search --out or zenbench demo")
    tables = [NamedTable(path.name, LatencyTable.load(path)) for path in _table_paths(folder)]
    search = read_search(folder) if (folder / RESULT).exists() else None
    has_measured, has_predicted = ((folder / name).exists() for name in (MEASURED, PREDICTED))
    training = read_card(folder / CARD) if (folder / CARD).exists() else None
    if (folder / STATE).exists() and search is None:
        raise UserError(f"{folder} holds a search that was interrupted; run it again, and it goes on")
    if not (tables or search or has_measured or has_predicted or training):
        raise UserError(
            f"{folder} holds nothing that zenbench wrote: no result.json, {CARD}, table, {MEASURED} or "
            f"{PREDICTED}; give the folder of a zenbench demo, or the --out of search or train"
        )
    tables += _tables_elsewhere(search, tables)
    agreement = disagreement = None
    measured = read_rows(folder / MEASURED) if has_measured else []
    predicted = read_rows(folder / PREDICTED) if has_predicted else []
    if has_measured and has_predicted:
        try:
            agreement = agree(measured, predicted)
        except UserError as error:
            disagreement = str(error)
    drifts = [read_drift(journal_path(folder / one.name), one.name) for one in tables]
    return Facts(
        folder=folder,
        tables=tuple(tables),
        unknown_tables=_unknown(search, tables),
        drifts=tuple(drift for drift in drifts if drift is not None),
        search=search,
        blocks=_blocks(search, tables),
        others=scored(predicted, search) if search else (),
        has_measured=has_measured,
        has_predicted=has_predicted,
        agreement=agreement,
        disagreement=disagreement,
        training=training,
    )


def _table_paths(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*.csv")) if _is_card(card_path(path))]


def _is_card(path: Path) -> bool:
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(data, dict) and data.get("schema") == SCHEMA


def _tables_elsewhere(search: Search | None, known: Sequence[NamedTable]) -> list[NamedTable]:
    """The tables that the search asked and that the folder does not hold, where they are unchanged."""
    wanted = set(search.table_digests) if search else set()
    wanted -= {table_digest(one.table) for one in known}
    found: list[NamedTable] = []
    if not wanted:
        return found
    for path in all_paths():
        try:
            table = LatencyTable.load(path)
        except TableError:
            continue  # it is not this run's, and `zenbench tables` names it
        if table_digest(table) in wanted:
            found.append(NamedTable(f"{table.card.setting.device}/{path.name}", table))
    return found


def _place(table: LatencyTable) -> tuple[str, str]:
    return table.card.setting.device, str(table.card.setting)


def _unknown(search: Search | None, tables: Sequence[NamedTable]) -> tuple[LimitedLatency, ...]:
    settings = {_place(one.table) for one in tables}
    latencies = search.latencies if search else ()
    return tuple(one for one in latencies if (one.device, one.setting) not in settings)


def _blocks(search: Search | None, tables: Sequence[NamedTable]) -> Blocks | None:
    if search is None:
        return None
    model = _model(search, tables)
    if model is None:
        return None
    return Blocks(model.device, model.setting, tuple(block_latencies(model, search.network)))


def _model(search: Search, tables: Sequence[NamedTable]) -> Predictor | None:
    """The model of the first latency that was searched within, else of the only table there is."""
    # A table that has learned since comes after the one that was asked.
    as_asked = sorted(tables, key=lambda one: table_digest(one.table) not in search.table_digests)
    for wanted in search.latencies:
        for one in as_asked:
            if _place(one.table) == (wanted.device, wanted.setting):
                return predictor(one.table)
    return predictor(tables[0].table) if len(tables) == 1 and not search.latencies else None
