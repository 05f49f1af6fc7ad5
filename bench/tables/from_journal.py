"""The table of everything in a journal."""

from __future__ import annotations

from dataclasses import asdict

from ...errors import DeviceError, TableError
from ...latency_tables.card import TableCard
from ...latency_tables.table import LatencyTable
from ..measuring.aggregation import rows_of
from ..measuring.in_context import UnitRows
from ..measuring.journal import History


def build_table(history: History) -> LatencyTable:
    """The table of everything in a journal.

    Raises DeviceError where every measurement failed, TableError where the journal lost its first line.
    """
    if history.measurements and not history.sessions:
        raise TableError(
            "the journal does not begin with the head of a sitting, which says what was measured on; restore "
            "its first line, or choose another table"
        )
    rows, reference_ms = rows_of(history)
    if not rows:
        raise DeviceError(_why_nothing(history))
    networks = history.networks
    first, last = history.sessions[0], history.sessions[-1]
    card = TableCard(
        setting=first.setting,
        provenance="measured",
        identity=first.identity,
        versions=last.versions,
        recipe={} if last.recipe is None else asdict(last.recipe),
        reference=last.reference,
        reference_ms=reference_ms,
        created=last.started,
        source=last.source
        or f"zenbench profile, {len(history.sessions)} sitting{'s' * (len(history.sessions) > 1)}",
        basis=history.basis,
    )
    whole = {subject: row for subject, row in rows.items() if subject in networks}
    return LatencyTable(
        card,
        UnitRows(rows, history.basis).units(),
        {networks[subject]: row for subject, row in whole.items() if subject not in history.hold_out},
        {networks[subject]: row for subject, row in whole.items() if subject in history.hold_out},
    )


def _why_nothing(history: History) -> str:
    errors = [one.error for one in history.measurements if one.error is not None]
    return f"every measurement failed, the first with: {errors[0]}" if errors else "nothing was measured"
