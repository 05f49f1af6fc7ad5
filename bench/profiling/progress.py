"""RoundCounts: what of a profile is done and what is still to do, counted over its whole journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from time import monotonic

from ...latency_tables.row import Role
from ...zen.network import Network
from ...zen.workload import Workload
from ..measuring.contexts import ends_of, is_ends_key
from ..measuring.in_context import UnitRows, known_workloads
from ..measuring.journal import History
from ..measuring.measurement import Measurement
from ..measuring.meter import Visit
from ..measuring.recipe import Recipe
from ..measuring.subjects import (
    AloneSubject,
    EndsSubject,
    Subject,
    WorkloadSubject,
    is_alone_key,
    is_network_key,
    is_workload_key,
    subject_of,
)

HOLD_OUT_VISITS = 4
"""A hold-out network is opened so often, far apart, each time for the recipe's rounds: what loading it again
changes is then part of its truth."""


@dataclass(frozen=True)
class Progress:
    """How far a profile is: counts of what has all its rounds, and of failures, in the whole journal.

    `hold_out`: hold-out networks visited once at least. `seconds`: how long this run has taken, without them.
    `share`: how much of the limits is used up; from 1 on the profile ends.
    """

    workloads: int
    networks: int
    failed: int
    hold_out: int
    seconds: float
    share: float


@dataclass(frozen=True)
class Limits:
    """Where a profile stops: at so many workloads in the journal, failed ones too, or after so long; None is
    free."""

    workloads: int | None = None
    seconds: float | None = None

    def share(self, workloads: int, seconds: float) -> float:
        """How much of them is used up."""
        shares = [0.0]
        if self.seconds is not None:
            shares.append(seconds / self.seconds if self.seconds > 0 else 1.0)
        if self.workloads is not None:
            shares.append(workloads / self.workloads)
        return max(shares)


class RoundCounts:
    """Rounds taken and rounds wanted, by subject."""

    def __init__(
        self, history: History, recipe: Recipe, limits: Limits, hold_out: Sequence[Network] = ()
    ) -> None:
        self._recipe, self._limits = recipe, limits
        self._hold_out = history.hold_out | {subject_of(network).key for network in hold_out}
        self._started = monotonic()
        self.hold_out_seconds = 0.0
        self._good: Counter[str] = Counter()
        self._taken: Counter[str] = Counter()
        self._failed: set[str] = set()
        # What has all its rounds, workloads with all that their rows need. Kept up to date, not counted
        # anew: progress is asked for after every round.
        self._workloads: set[Workload] = set()
        self._networks: set[str] = set()
        for measurement in history.measurements:
            self.add(measurement)
        self.recount(history)

    def add_hold_out(self, networks: Iterable[Network]) -> None:
        """Of these nothing was measured yet."""
        self._hold_out |= {subject_of(network).key for network in networks}

    def add(self, measurement: Measurement) -> None:
        key = measurement.subject
        if measurement.error is not None:
            self._failed.add(key)
        else:
            self._taken[key] += 1
            self._good[key] += measurement.good
        if is_network_key(key):
            if key in self._failed:
                self._networks.discard(key)
            elif not self.missing(key):
                self._networks.add(key)

    def window_ended(self, window: Sequence[Workload | Network], measurements: Sequence[Measurement]) -> None:
        """What a window's rounds make of its units decides whether these are done, or wanted another way."""
        self._units.see([one for one in measurements if not is_network_key(one.subject)])
        self._count(item for item in window if isinstance(item, Workload))

    def recount(self, history: History) -> list[Workload]:
        """What is done by all that was measured, by which the table is made, and what is begun and is not."""
        self._units = UnitRows.of(history)
        self._workloads.clear()
        known = known_workloads(history)
        self._count(known)
        return [workload for workload in known if self.subjects(workload)]

    def _count(self, workloads: Iterable[Workload]) -> None:
        for workload in workloads:
            if not self.subjects(workload) and AloneSubject(workload).key not in self._failed:
                self._workloads.add(workload)

    def role(self, key: str) -> Role:
        return "judging" if key in self._hold_out else "calibrating"

    def wants(self, item: Workload | Network) -> bool:
        """Whether something is to be measured to learn from."""
        return subject_of(item).key not in self._hold_out and bool(self.subjects(item))

    def subjects(self, item: Workload | Network) -> list[Subject]:
        """What is still to be timed of an item: of a workload, itself in its context and the context's ends;
        or itself alone, where one of these failed, or where they leave no difference that could be told."""
        if isinstance(item, Network):
            parts: list[Subject] = [subject_of(item)]
        else:
            parts = [WorkloadSubject(item), *map(EndsSubject, ends_of(item))]
            if any(part.key in self._failed for part in parts) or self._units.is_lost(item):
                parts = [AloneSubject(item)]
        return [part for part in parts if self.missing(part.key)]

    def task(self, subject: Subject) -> Visit:
        """The next visit to a subject."""
        key = subject.key
        rounds = min(self._recipe.rounds, self._wanted(key) - self._good[key])
        is_cold = is_workload_key(key) or is_ends_key(key)
        return Visit(subject, rounds, self._most(key) - self._taken[key], is_cold)

    def missing(self, key: str) -> bool:
        """Whether a subject needs more rounds; not once it has failed or was never quiet."""
        if key in self._failed or self._taken[key] >= self._most(key):
            return False
        return self._good[key] < self._wanted(key)

    def visits_left(self, key: str) -> int:
        left = (self._wanted(key) - self._good[key]) / self._recipe.rounds
        return ceil(left) if self.missing(key) else 0

    def _visits(self, key: str) -> int:
        return HOLD_OUT_VISITS if key in self._hold_out else 1

    def _wanted(self, key: str) -> int:
        return self._recipe.rounds * self._visits(key)

    def _most(self, key: str) -> int:
        return self._recipe.most_rounds * self._visits(key)

    @property
    def window(self) -> int:
        return self._recipe.window

    def window_size(self) -> int:
        if self._limits.workloads is None:
            return self._recipe.window
        return min(self._recipe.window, max(1, self._limits.workloads - self._tried()))

    def reached(self) -> bool:
        return self.progress().share >= 1

    def progress(self) -> Progress:
        hold_out = sum(self._good[key] >= self._recipe.rounds for key in self._hold_out)
        seconds = monotonic() - self._started - self.hold_out_seconds
        return Progress(
            workloads=len(self._workloads),
            networks=len(self._networks - self._hold_out),
            # What failed in its context is measured alone.
            failed=sum(is_network_key(key) or is_alone_key(key) for key in self._failed),
            hold_out=hold_out,
            seconds=seconds,
            share=self._limits.share(self._tried(), seconds),
        )

    def _tried(self) -> int:
        """Workloads that are done, and those that failed for good; a network that failed is none less."""
        return len(self._workloads) + sum(map(is_alone_key, self._failed))
