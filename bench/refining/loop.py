"""The loop of a search with latency limits: search, measure, learn, go on.

A round searches under the tables as the measurements so far correct them, measures finalists that differ in
depth and width, one load each, and confirms the best of those that hold the limits by further loads. Half of
the evaluations come before the first round's measurements, the rest in equal parts.

Where something else than the score says which networks are best (a training), it is asked after the rounds,
and the first network in its order that further loads confirm wins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Protocol, cast

from ...errors import DeviceUnavailableError, UserError
from ...latency_tables.corrected import Corrected
from ...latency_tables.predictor import Predictor
from ...zen.network import Network
from ...zen.search.budget import Budget, LatencyLimit
from ...zen.search.evaluator import Candidate, Evaluator
from ...zen.search.run import SearchResult, SearchState, rebudgeted
from ...zen.search.task import SearchTask
from .loads import NetworkLoad, latencies_ms
from .standing import ACCEPTED, CONFIRMING_LOADS, Finalist, Standing, nearest, winner

ROUNDS, FINALISTS = 5, 6
PATIENCE = 2
"""Rounds without a new leader that end the loop."""
CONFIRMED_A_ROUND = 2
"""Networks at the most: what a round confirms is time that the next one lacks."""
_KEPT_FOR_ORDER = 2
"""Networks for whose confirmation the rounds leave time, where an order is asked after them."""
_AIM = ACCEPTED - 0.01
"""Of a limit, what predictions may take: the standard error is to fit in, too."""


class Loads(Protocol):
    """Where loads come from: a device, or the record of an earlier search."""

    @property
    def loads(self) -> list[NetworkLoad]: ...

    def take(self, number: int, label: str, network: Network) -> bool:
        """Adds a load to `loads`; false where the time, or the record, is at its end."""
        ...

    def has_time_for(self, count: int) -> bool:
        """Whether so many further loads can be taken."""
        ...

    def charge(self, seconds: float) -> None:
        """Takes from the time what went into learning from loads."""
        ...


@dataclass(frozen=True)
class RoundReport:
    """What a round measured (the finalists of this round alone), and who leads since."""

    number: int
    finalists: Sequence[Finalist]
    leader: Finalist | None


@dataclass(frozen=True)
class Refined:
    """`result`: of the last search. `finalists`: all that were measured, as they stand at the end. `winner`:
    the best that is confirmed within every limit; `nearest`: what to go by without one. `stopped`: why the
    loop ended, where a device did it; `ended`: why it ended before its rounds."""

    result: SearchResult
    finalists: Sequence[Finalist]
    winner: Finalist | None
    nearest: Finalist | None
    stopped: str | None
    ended: str | None
    loads: Sequence[NetworkLoad]

    def possible(self, keep: int) -> list[Candidate]:
        """Of `ranked` those that may be within the limits, as far as they are known."""
        beyond = {one.candidate.network for one in self.finalists if one.share > ACCEPTED}
        return [one for one in self.ranked(keep).best if one.network not in beyond]

    def ranked(self, keep: int) -> SearchResult:
        """The search's result with `keep` networks: the winner (or else the nearest), what else is confirmed,
        what is within the limits as far as it was measured, what was not measured, what exceeds them; each
        by score."""
        first = self.winner or self.nearest
        measured = {one.candidate.network: one for one in self.finalists}
        candidates = {one.network: one for one in self.result.best}
        candidates |= {network: one.candidate for network, one in measured.items()}

        def rank(candidate: Candidate) -> tuple[int, float, str]:
            network = candidate.network
            one = measured.get(network)
            if one is None:
                group = 3
            elif first is not None and network == first.candidate.network:
                group = 0
            else:
                group = 1 if one.is_confirmed else 2 if one.share <= 1 else 4
            return group, -candidate.score, network.digest

        return replace(self.result, best=sorted(candidates.values(), key=rank)[:keep])


def refine(
    task: SearchTask,
    labels: Sequence[str],
    source: Loads,
    search_on: Callable[[SearchTask, SearchState | None], SearchResult],
    state: SearchState | None = None,
    report: Callable[[RoundReport], None] = lambda report: None,
    order: Callable[[Refined], Sequence[Candidate]] | None = None,
) -> Refined:
    """Searches in rounds; `labels` are the limits (by `LatencyLimit.name`) whose devices are at hand.

    `state` is where a search was interrupted, whose loads `source` holds. `order` is asked after the rounds
    which networks are to win, the best first. Raises UserError where the space has no network within the
    budget as the tables see it.
    """
    goals = evaluation_goals(task.evaluations)
    begun = 0 if state is None else sum(state.evaluated > goal for goal in goals[:-1])
    loop = _Loop(task, labels, source, _KEPT_FOR_ORDER if order else 0)
    leaders = [loop.leader(number) for number in range(1, begun + 1)]
    stopped: str | None = None
    ended: str | None = None

    def searched(number: int, evaluations: int) -> SearchResult:
        began = monotonic()
        corrected = loop.task(number, evaluations)
        start = None if state is None else rebudgeted(corrected, state)
        source.charge(monotonic() - began)
        return search_on(corrected, start)

    result = searched(begun + 1, goals[begun])
    for number in range(begun + 1, ROUNDS + 1):
        state = result.state
        try:
            loop.measure(number, result.best)
        except DeviceUnavailableError as error:
            stopped = str(error)
        leaders.append(loop.leader(number))
        report(RoundReport(number, loop.finalists(number, number), leaders[-1]))
        if _has_settled(leaders):
            ended = f"{PATIENCE} rounds found nothing better"
        elif not stopped and not loop.has_time_for(1):
            ended = "the time to measure is used up"
        if ended or number == ROUNDS:
            break
        try:
            result = searched(number + 1, task.evaluations if stopped else goals[number])
        except UserError:
            ended = "what was measured leaves no network within the budget"
            break
        if stopped:
            break

    def refined(wanted: Sequence[Candidate] = ()) -> Refined:
        found = loop.finalists(1, ROUNDS)
        best = _first_confirmed(wanted, found) or winner(found)
        return Refined(result, found, best, nearest(found), stopped, ended, source.loads)

    wanted = order(refined()) if order else ()
    if not stopped:
        loop.settle(number, wanted)
    return refined(wanted)


def _first_confirmed(wanted: Sequence[Candidate], found: Sequence[Finalist]) -> Finalist | None:
    confirmed = {one.candidate.network: one for one in found if one.is_confirmed}
    return next((confirmed[one.network] for one in wanted if one.network in confirmed), None)


def evaluation_goals(evaluations: int) -> list[int]:
    """Evaluations at the end of each round's search."""
    half = evaluations / 2
    return [round(half + half * number / (ROUNDS - 1)) for number in range(ROUNDS)]


def _has_settled(leaders: Sequence[Finalist | None]) -> bool:
    last = [one and one.candidate.network for one in leaders[-PATIENCE - 1 :]]
    return len(last) > PATIENCE and last[0] is not None and len(set(last)) == 1


class _Loop:
    """The measurements of a loop, and what they say."""

    def __init__(self, task: SearchTask, labels: Sequence[str], source: Loads, kept: int) -> None:
        """`kept`: so many networks are to be confirmed after the rounds."""
        self._task, self._labels, self._source = task, labels, source
        self._kept_loads = kept * CONFIRMING_LOADS * len(labels)
        self._limits = {limit.name: limit for limit in task.budget.latencies}
        self._candidates: dict[Network, Candidate] = {}

    def has_time_for(self, count: int) -> bool:
        """Whether so many further loads can be taken now."""
        return self._source.has_time_for(count + self._kept_loads)

    def task(self, number: int, evaluations: int) -> SearchTask:
        """The task of a round's search, its tables corrected by all loads of earlier rounds."""
        return replace(self._task, budget=self._corrected(number), evaluations=evaluations)

    def _corrected(self, number: int) -> Budget:
        measured = self._latencies(1, number - 1)
        latencies = []
        for limit in self._task.budget.latencies:
            if limit.name in self._labels:
                truths = {
                    network: Standing(limit.limit_ms, loads_ms).ms
                    for (network, label), loads_ms in measured.items()
                    if label == limit.name
                }
                latencies.append(_corrected_limit(limit, truths))
            else:
                latencies.append(limit)
        return replace(self._task.budget, latencies=tuple(latencies))

    def measure(self, number: int, best: Sequence[Candidate]) -> None:
        """The round's finalists once each, then the best of all that hold the limits often enough."""
        before = {load.network for load in self._source.loads if load.round < number}
        chosen = [one for one in best if one.network not in before][:FINALISTS]
        self._candidates |= {one.network: one for one in chosen}
        for candidate in chosen:
            waiting = self._promising(number)
            # What was found is worth more confirmed than beside one more that is not.
            if waiting and not self.has_time_for(CONFIRMING_LOADS * len(self._labels)):
                break
            if not self._load(number, candidate.network, 1):
                break
        for _ in range(CONFIRMED_A_ROUND):
            waiting = self._promising(number)
            if not waiting or not self._load(number, waiting[0].candidate.network, CONFIRMING_LOADS):
                break
            if winner(self.finalists(1, number)) is not None:
                break

    def settle(self, number: int, wanted: Sequence[Candidate] = ()) -> None:
        """Confirms the first wanted one that holds the limits. Where no network is confirmed, loads the
        nearest as often, so that the verdict rests on it."""
        self._kept_loads = 0
        for candidate in wanted:
            self._candidates.setdefault(candidate.network, candidate)
            if not self._load(number, candidate.network, CONFIRMING_LOADS):
                break
            if _first_confirmed([candidate], self.finalists(1, number)):
                return
        found = self.finalists(1, number)
        closest = nearest(found)
        if winner(found) is None and closest is not None and closest.share <= 1:
            self._load(number, closest.candidate.network, CONFIRMING_LOADS)

    def _load(self, number: int, network: Network, count: int) -> bool:
        """Loads a network until it was so often on every device; false where the time is over before."""
        for _ in range(count):
            for label in self._labels:
                taken = [one for one in self._source.loads if (one.network, one.limit) == (network, label)]
                failed = any(one.error is not None for one in taken)
                if failed or len(taken) >= count:
                    continue
                if not self.has_time_for(1) or not self._source.take(number, label, network):
                    return False
        return True

    def _promising(self, number: int) -> list[Finalist]:
        """Those that score more than the leader, and would win as far as they are known, best first."""
        found = self.finalists(1, number)
        leader = winner(found)
        least = 0.0 if leader is None else leader.candidate.score
        waiting = [one for one in found if one.is_promising and not one.is_confirmed]
        return sorted(
            (one for one in waiting if one.candidate.score > least),
            key=lambda one: (-one.candidate.score, one.candidate.network.digest),
        )

    def leader(self, number: int) -> Finalist | None:
        """Who would win after a round."""
        return winner(self.finalists(1, number))

    def finalists(self, first: int, last: int) -> list[Finalist]:
        """The networks that were first measured in these rounds, as they stand after the last of them."""
        measured, found = self._latencies(1, last), []
        rounds: dict[Network, int] = {}
        for load in self._source.loads:
            rounds.setdefault(load.network, load.round)
        errors = {load.network: load.error for load in self._source.loads if load.error is not None}
        for network, number in rounds.items():
            if first <= number <= last:
                standings = {
                    label: Standing(self._limits[label].limit_ms, measured[network, label])
                    for label in self._labels
                    if (network, label) in measured
                }
                candidate = self._candidate(network, number)
                predicted = dict(zip(self._limits, candidate.estimates, strict=True))
                earlier = sum(first_round < number for first_round in rounds.values())
                error = errors.get(network)
                found.append(Finalist(candidate, number, predicted, standings, error, earlier))
        return found

    def _candidate(self, network: Network, number: int) -> Candidate:
        """A network of a round, predicted as that round's search did."""
        if network not in self._candidates:
            task = self._task
            evaluator = Evaluator(task.resolution, task.classes, self._corrected(number), task.reading)
            genome = evaluator.genome(network.blocks)  # type: ignore[arg-type]
            self._candidates[network] = evaluator.candidate(genome, evaluator.score(genome))
        return self._candidates[network]

    def _latencies(self, first: int, last: int) -> Mapping[tuple[Network, str], list[float]]:
        return latencies_ms(load for load in self._source.loads if first <= load.round <= last)


def _corrected_limit(limit: LatencyLimit, truths_ms: Mapping[Network, float]) -> LatencyLimit:
    model = cast(Predictor, limit.model)
    return replace(
        limit,
        limit_ms=_AIM * limit.limit_ms,
        model=Corrected(model, truths_ms) if truths_ms else model,
    )
