"""Profiling: from a device and a plan to a journal, and from a journal to a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from time import monotonic

from ...devices.base import Device, Setting
from ...errors import DeviceError, TableError
from ...latency_tables.card import Card
from ...latency_tables.table import LatencyTable
from ...zen.network import Network
from ...zen.workload import Workload
from ..measuring.aggregation import rows_of
from ..measuring.journal import History, Journal, Sitting
from ..measuring.measurement import REFERENCE, Recipe
from ..measuring.meter import Meter
from ..measuring.subjects import subject_of
from .progress import FIRST_VISITS, Limits, Progress, Tally, Visits


def journal_path(table: Path) -> Path:
    return table.with_suffix(".journal.jsonl")


def profile(
    device: Device,
    setting: Setting,
    items: Iterable[Workload | Network],
    journal: Journal,
    recipe: Recipe,
    limits: Limits,
    report: Callable[[Progress], None] = lambda progress: None,
    judges: Sequence[Network] = (),
    enough: Callable[[History], bool] | None = None,
) -> bool:
    """Measures the items in order, window by window, skipping what the journal holds already; whether they
    ended before the limits.

    The judges are spread over the run, and all are measured, after its limit where that comes first; what
    the journal holds to be learned from cannot judge and is left out of them. Where `enough` may end the run
    before its limit, they have their first visits at once.
    """
    check_same_machine(journal.history, device, setting)
    learned = journal.history.networks.keys() - journal.history.judging
    judges = [network for network in judges if subject_of(network).key not in learned]
    tally = Tally(journal.history, recipe, limits, judges)
    visits = Visits(judges, tally)
    waiting = (item for item in items if tally.wants(item))
    # A verdict waits for its judges.
    ended = tally.reached() or bool(enough and not visits and enough(journal.history))
    exhausted = False
    if ended and not visits:
        return exhausted
    with Meter(device, setting, recipe, journal.history.measurements) as meter:
        journal.head(new_sitting(device, setting, recipe))
        while visits or not ended:
            # Judges have windows of their own, and the limit is free of the time that they take.
            share = max(tally.progress().share, FIRST_VISITS if enough else 0.0)
            judging = visits.due(1.0 if ended else share)
            learning = islice(waiting, 0 if ended else tally.window_size())
            window: Sequence[Workload | Network] = judging or list(learning)
            started = monotonic()
            networks = {subject_of(item).key: item for item in window if isinstance(item, Network)}
            tasks = [tally.task(subject) for subject in map(subject_of, window)]
            for measurement in meter.window(tasks):
                role = tally.role(measurement.subject)
                journal.append(measurement, networks.get(measurement.subject), role)
                tally.add(measurement)
                report(tally.progress())
            if judging:
                tally.judging_seconds += monotonic() - started
            elif not ended:
                exhausted = not window
                ended = exhausted or tally.reached() or bool(enough and enough(journal.history))
    return exhausted


def new_sitting(device: Device, setting: Setting, recipe: Recipe) -> Sitting:
    """The head of a sitting that starts now."""
    return Sitting(setting, dict(device.identity()), dict(device.versions()), recipe, REFERENCE, utc_now())


def utc_now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def check_same_machine(history: History, device: Device, setting: Setting) -> None:
    """Raises TableError where a journal belongs to another setting or machine."""
    for sitting in history.sittings:
        if sitting.setting != setting:
            raise TableError(
                f"this journal holds {sitting.setting.device} {sitting.setting}, "
                f"not {setting.device} {setting}; one table holds one setting: choose another --table"
            )
        if dict(sitting.identity) != dict(device.identity()):
            raise TableError("this journal was written on another machine; choose another --table")


def build_table(history: History) -> LatencyTable:
    """The table of everything in a journal; raises DeviceError where every measurement failed."""
    rows, reference_ms = rows_of(history)
    if not rows:
        raise DeviceError(_why_nothing(history))
    networks = history.networks
    first, last = history.sittings[0], history.sittings[-1]
    card = Card(
        setting=first.setting,
        provenance="measured",
        identity=first.identity,
        versions=last.versions,
        recipe={} if last.recipe is None else asdict(last.recipe),
        reference=last.reference,
        reference_ms=reference_ms,
        created=last.started,
        source=last.source
        or f"zenbench profile, {len(history.sittings)} sitting{'s' * (len(history.sittings) > 1)}",
    )
    whole = {subject: row for subject, row in rows.items() if subject in networks}
    return LatencyTable(
        card,
        {Workload.parse(subject): row for subject, row in rows.items() if subject not in networks},
        {networks[subject]: row for subject, row in whole.items() if subject not in history.judging},
        {networks[subject]: row for subject, row in whole.items() if subject in history.judging},
    )


def _why_nothing(history: History) -> str:
    errors = [one.error for one in history.measurements if one.error is not None]
    return f"every measurement failed, the first with: {errors[0]}" if errors else "nothing was measured"
