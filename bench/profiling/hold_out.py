"""When the hold-out networks of a profile are measured: spread over it, so that they see the same machine."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import ceil

from ...zen.network import Network
from ..measuring.subjects import subject_of
from .progress import HOLD_OUT_VISITS, RoundCounts

FIRST_VISITS = 1 / HOLD_OUT_VISITS
"""The share of a run at which each hold-out network is to have been visited once."""


class Visits:
    """The visits to hold-out networks that are left, first all first ones, then all second ones; false once
    there are none."""

    def __init__(self, hold_out: Sequence[Network], counts: RoundCounts) -> None:
        self._counts = counts
        self._queue = deque(
            network
            for left in range(HOLD_OUT_VISITS, 0, -1)
            for network in hold_out
            if counts.visits_left(subject_of(network).key) >= left
        )
        self._total = len(self._queue)

    def __bool__(self) -> bool:
        return bool(self._queue)

    def due(self, share: float) -> list[Network]:
        """The window of networks to measure now, so that they are as far as the whole profile, none twice.

        Empty until half a window is due, so that their rounds are interleaved, or all is.
        """
        count = ceil(min(share, 1.0) * self._total) - (self._total - len(self._queue))
        found: list[Network] = []
        window = self._counts.window
        if share >= 1 or count >= window // 2:
            while self._queue and len(found) < min(count, window) and self._queue[0] not in found:
                network = self._queue.popleft()
                if self._counts.missing(subject_of(network).key):
                    found.append(network)
        return found
