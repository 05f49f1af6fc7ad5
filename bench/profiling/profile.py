"""Profiling: from a device and a plan to a journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from time import monotonic

from ...devices.base import Device, Setting
from ...errors import TableError
from ...zen.network import Network
from ...zen.workload import Workload
from ..measuring.journal import History, Journal, check_same_machine, new_session
from ..measuring.meter import Meter
from ..measuring.recipe import Recipe
from ..measuring.subjects import subject_of
from .hold_out import SearchedHoldOut, Visits
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
    searched: SearchedHoldOut | None = None,
) -> bool:
    """Measures the items in order, window by window, skipping what the journal holds already; whether they
    ended before the limits.

    The hold-out networks are spread over the run, and all are measured, after its limit where that comes
    first; what the journal holds to be learned from is left out of them. Where `enough` may end the run
    before its limit, they have their first visits at once. The `searched` ones join them later, and `enough`
    does not end the run before they were visited.
    """
    check_same_machine(journal.history, device, setting)
    if journal.history.sessions and journal.history.basis != "in-context":
        raise TableError("this journal holds blocks that were timed alone; choose another --table")
    learned = journal.history.networks.keys() - journal.history.hold_out
    hold_out = [network for network in hold_out if subject_of(network).key not in learned]
    if searched is not None:
        hold_out += searched.begun(journal.history)
    counts = RoundCounts(journal.history, recipe, limits, hold_out)
    visits = Visits(hold_out, counts, searched, first_at_once=enough is not None)
    waiting = _Waiting(items, counts)
    exhausted, over = False, counts.reached()
    # A verdict waits for its hold-out networks.
    met = bool(enough and not visits and not over and enough(journal.history))
    joined = visits.join_searched(journal.history, over or met)
    ended = over or (met and not joined)
    if ended and not visits:
        return exhausted
    with Meter(device, setting, recipe, journal.history.measurements) as meter:
        journal.head(new_session(device, setting, recipe, "in-context"))
        while visits or not ended:
            # Hold-out networks have windows of their own, and the limit is free of the time that they take.
            due = visits.due(1.0 if ended else counts.progress().share)
            window: Sequence[Workload | Network] = due or waiting.take(0 if ended else counts.window_size())
            started = monotonic()
            networks = {subject_of(item).key: item for item in window if isinstance(item, Network)}
            subjects = dict.fromkeys(chain.from_iterable(map(counts.subjects, window)))
            taken = []
            for measurement in meter.window([counts.task(subject) for subject in subjects]):
                role = counts.role(measurement.subject)
                journal.append(measurement, networks.get(measurement.subject), role)
                counts.add(measurement)
                taken.append(measurement)
                report(counts.progress())
            counts.window_ended(window, taken)
            report(counts.progress())
            if due:
                counts.hold_out_seconds += monotonic() - started
            elif not ended:
                exhausted = not window
                if exhausted or counts.reached():
                    waiting.first(counts.recount(journal.history))
                    exhausted = exhausted and not waiting
                over = exhausted or counts.reached()
                met = bool(enough and not over and enough(journal.history))
                joined = visits.join_searched(journal.history, over or met)
                ended = over or (met and not joined)
    return exhausted


class _Waiting:
    """The items that are wanted, in order; one that a window left unfinished comes again in the next."""

    def __init__(self, items: Iterable[Workload | Network], counts: RoundCounts) -> None:
        self._items, self._counts = iter(items), counts
        self._last: list[Workload | Network] = []

    def first(self, items: Sequence[Workload | Network]) -> None:
        """These come before all others."""
        self._last = list(items)

    def __bool__(self) -> bool:
        """Whether something that was begun is not finished."""
        return any(map(self._counts.wants, self._last))

    def take(self, count: int) -> list[Workload | Network]:
        if not count:
            return []
        again = [item for item in self._last if self._counts.wants(item)]
        fresh = (item for item in self._items if self._counts.wants(item))
        self._last = [*again, *islice(fresh, max(0, count - len(again)))]
        return self._last
