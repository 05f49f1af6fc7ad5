"""Keeping: what a search measured goes into the journal of the table that it searched with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import DeviceError, UserError
from ...latency_tables.table import LatencyTable
from ..measuring.journal import Journal, check_same_machine, journal_path, new_session
from ..tables.from_journal import build_table
from .device_loads import Reached
from .loads import RECIPE, NetworkLoad


def keep(loads: Sequence[NetworkLoad], table: LatencyTable, reached: Reached, folder: Path) -> str | None:
    """Appends the rounds of these loads to the table's journal, after a copy of the table is in the search's
    folder; why it could not, else None.

    What is there already is not appended again, and a hold-out network stays one. A table without a journal
    (a shipped, merged or imported one) is left alone. The table itself stays as it is until `learn`.
    """
    path, setting = table.path, table.card.setting
    if path is None or not loads or not _has_journal(table):
        return None
    try:
        with Journal(journal_path(path)) as journal:
            history = journal.history
            check_same_machine(history, reached.driver, setting)
            table.save(folder / f"{setting.device}-{setting.file_stem}.csv")
            there = {(one.subject, one.time) for one in history.measurements}
            fresh = [
                (measurement, load.network)
                for load in loads
                for measurement in load.measurements
                if (measurement.subject, measurement.time) not in there
            ]
            if fresh:
                journal.head(new_session(reached.driver, setting, RECIPE, history.basis))
            for measurement, network in fresh:
                journal.append(measurement, network, "searched")
    except (UserError, DeviceError) as error:
        return f"what was measured stays with the search, {path} does not learn from it: {error}"
    return None


def learn(table: LatencyTable) -> None:
    """Builds a table anew from its journal. Raises UserError where it cannot be written."""
    if table.path is not None and _has_journal(table):
        with Journal(journal_path(table.path)) as journal:
            build_table(journal.history).save(table.path)


def _has_journal(table: LatencyTable) -> bool:
    journal = None if table.path is None or table.card.model is not None else journal_path(table.path)
    return journal is not None and journal.exists() and journal.stat().st_size > 0
