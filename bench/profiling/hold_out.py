"""The hold-out networks of a profile: those that searches find, and when all of them are measured.

Their visits are spread over the profile, so that they see the same machine.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import ceil
from time import monotonic

from ...errors import DeviceError
from ...latency_tables.measured.model import TableModel
from ...zen.network import Network
from ..measuring.journal import History
from ..measuring.subjects import subject_of
from ..tables.from_journal import build_table
from .progress import HOLD_OUT_VISITS, RoundCounts
from .searched_networks import FRUITLESS_SEARCHES, SearchedNetworks

FIRST_VISITS = 1 / HOLD_OUT_VISITS
"""The share of a run at which each hold-out network is to have been visited once."""


class SearchedHoldOut:
    """So many hold-out networks beside the random ones, each the best of a search of its own."""

    WORKLOADS = 96
    """They are searched for when a table holds so many: early, so that their visits lie far apart, and not so
    early that the searches are led by a table which knows next to nothing."""

    def __init__(self, search: SearchedNetworks, count: int, beside: Sequence[Network]) -> None:
        self._search, self._count, self._beside = search, count, set(beside)

    def begun(self, history: History) -> list[Network]:
        """Those that a journal holds already: its hold-out networks that are none of the random ones."""
        networks = [history.networks[key] for key in history.networks if key in history.hold_out]
        return [network for network in networks if network not in self._beside][: self._count]

    def found(self, history: History) -> list[Network]:
        """Those that are missing, found against the table as it stands; fewer where the space is small, none
        where the table cannot predict yet."""
        begun = len(self.begun(history))
        if begun == self._count or not history.measurements:
            return []
        try:
            model = TableModel(build_table(history))
        except DeviceError:  # every measurement failed
            return []
        known = self._beside.union(history.networks.values())
        found: list[Network] = []
        number, fruitless = begun, 0
        while begun + len(found) < self._count and fruitless < FRUITLESS_SEARCHES:
            fresh = next((one for one in self._search.found(model, number) if one not in known), None)
            number, fruitless = number + 1, 0 if fresh else fruitless + 1
            if fresh:
                known.add(fresh)
                found.append(fresh)
        return found


class Visits:
    """The visits to hold-out networks that are left to a profile; false once there are none.

    The `searched` ones join the others when their time has come. `first_at_once`: without waiting until they
    are due.
    """

    def __init__(
        self,
        hold_out: Sequence[Network],
        counts: RoundCounts,
        searched: SearchedHoldOut | None = None,
        first_at_once: bool = False,
    ) -> None:
        self._counts, self._searched, self._first_at_once = counts, searched, first_at_once
        self._groups = [_Group(hold_out, counts)]

    def __bool__(self) -> bool:
        return any(self._groups)

    def join_searched(self, history: History, ending: bool) -> bool:
        """Whether searched networks joined just now: at the end of the run at the latest."""
        searched, counts = self._searched, self._counts
        if searched is None or not (ending or counts.progress().workloads >= searched.WORKLOADS):
            return False
        self._searched = None
        started = monotonic()
        found = searched.found(history)
        counts.add_hold_out(found)
        counts.hold_out_seconds += monotonic() - started
        self._groups.append(_Group(found, counts, since=counts.progress().share))
        return bool(found)

    def due(self, share: float) -> list[Network]:
        """The window of networks to measure now, so that they are as far as the whole profile, none twice.

        Empty until half a window is due, so that their rounds are interleaved, or all is.
        """
        least = FIRST_VISITS if self._first_at_once else 0.0
        return next(filter(None, (group.due(share, least) for group in self._groups)), [])


class _Group:
    """Networks whose visits, first all first ones, then all second ones, are spread over a run from the share
    of it that is `since` on."""

    def __init__(self, hold_out: Sequence[Network], counts: RoundCounts, since: float = 0.0) -> None:
        self._counts, self._since = counts, since
        self._networks = len(hold_out)
        self._queue = deque(
            network
            for left in range(HOLD_OUT_VISITS, 0, -1)
            for network in hold_out
            if counts.visits_left(subject_of(network).key) >= left
        )
        self._total = len(self._queue)

    def __bool__(self) -> bool:
        return bool(self._queue)

    def due(self, share: float, least: float) -> list[Network]:
        """`least`: the share of them that is due in any case."""
        done = 1.0 if share >= 1 else max(least, (share - self._since) / (1 - self._since))
        count = ceil(done * self._total) - (self._total - len(self._queue))
        found: list[Network] = []
        window = self._counts.window
        if done >= 1 or count >= min(window // 2, self._networks):
            while self._queue and len(found) < min(count, window) and self._queue[0] not in found:
                network = self._queue.popleft()
                if self._counts.missing(subject_of(network).key):
                    found.append(network)
        return found
