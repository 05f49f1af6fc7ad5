"""Profiling: from a device and a plan to a journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from time import monotonic

from ...devices.base import Device, Setting
from ...zen.network import Network
from ...zen.workload import Workload
from ..measuring.journal import History, Journal, check_same_machine, new_session
from ..measuring.meter import Meter
from ..measuring.recipe import Recipe
from ..measuring.subjects import subject_of
from .hold_out import FIRST_VISITS, Visits
from .progress import Limits, Progress, RoundCounts


def profile(
    device: Device,
    setting: Setting,
    items: Iterable[Workload | Network],
    journal: Journal,
    recipe: Recipe,
    limits: Limits,
    report: Callable[[Progress], None] = lambda progress: None,
    hold_out: Sequence[Network] = (),
    enough: Callable[[History], bool] | None = None,
) -> bool:
    """Measures the items in order, window by window, skipping what the journal holds already; whether they
    ended before the limits.

    The hold-out networks are spread over the run, and all are measured, after its limit where that comes
    first; what the journal holds to be learned from is left out of them. Where `enough` may end the run
    before its limit, they have their first visits at once.
    """
    check_same_machine(journal.history, device, setting)
    learned = journal.history.networks.keys() - journal.history.hold_out
    hold_out = [network for network in hold_out if subject_of(network).key not in learned]
    counts = RoundCounts(journal.history, recipe, limits, hold_out)
    visits = Visits(hold_out, counts)
    waiting = (item for item in items if counts.wants(item))
    # A verdict waits for its hold-out networks.
    ended = counts.reached() or bool(enough and not visits and enough(journal.history))
    exhausted = False
    if ended and not visits:
        return exhausted
    with Meter(device, setting, recipe, journal.history.measurements) as meter:
        journal.head(new_session(device, setting, recipe))
        while visits or not ended:
            # Hold-out networks have windows of their own, and the limit is free of the time that they take.
            share = max(counts.progress().share, FIRST_VISITS if enough else 0.0)
            due = visits.due(1.0 if ended else share)
            learning = islice(waiting, 0 if ended else counts.window_size())
            window: Sequence[Workload | Network] = due or list(learning)
            started = monotonic()
            networks = {subject_of(item).key: item for item in window if isinstance(item, Network)}
            tasks = [counts.task(subject) for subject in map(subject_of, window)]
            for measurement in meter.window(tasks):
                role = counts.role(measurement.subject)
                journal.append(measurement, networks.get(measurement.subject), role)
                counts.add(measurement)
                report(counts.progress())
            if due:
                counts.hold_out_seconds += monotonic() - started
            elif not ended:
                exhausted = not window
                ended = exhausted or counts.reached() or bool(enough and enough(journal.history))
    return exhausted
