"""Evolution under budgets, ranked by the closed-form Zen-Score; seeded.

Algorithm 1 of Zen-NAS (arXiv 2102.01063): a uniformly random parent is mutated; a child that breaks a
budget is turned away, any other is scored and joins the population, and the worst leaves.

Everything that adds up (MACs, parameters, score, latency) is kept per block and input size, so a child
costs a few look-ups: only the changed block and what its widths touch are new.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

from ..errors import UserError
from .blocks import Block, block_workloads, round_to_8
from .budget import Budget, Estimate, Part
from .cost import Cost, workload_cost
from .network import Network
from .proxies.base import Reading
from .proxies.closed_form import Transfer, block_transfer, score_at, through
from .space import MIN_WIDTH, Space, chain, mutate
from .units.plain import HeadUnit
from .workload import Workload

Blocks = tuple[Block, ...]

PATIENCE = 200_000
"""So many proposals turned away in a row end a search: the budget leaves nothing new to find."""
_REPORT_EVERY_SECONDS = 0.25
_CLOCK_EVERY = 64
_MOST_KNOWN = 100_000
"""Blocks whose terms are kept; beyond, all are forgotten, so that memory stays bounded."""


@dataclass(frozen=True)
class Candidate:
    """A scored network that fits the budget; estimates in the order of the budget's latencies."""

    network: Network
    score: float
    cost: Cost
    estimates: tuple[Estimate, ...]


@dataclass(frozen=True)
class SearchProgress:
    """How far a search is; `rejected` counts proposals by the budget that turned them away."""

    evaluated: int
    best: float
    rejected: Mapping[str, int]
    seconds: float


@dataclass(frozen=True)
class SearchResult:
    """`best`: distinct candidates, best first. `history`: (evaluated, best score) at every improvement.

    `seconds` is the loop alone; `stopped` says why a search ended before its evaluations, if it did.
    """

    best: Sequence[Candidate]
    evaluated: int
    rejected: Mapping[str, int]
    seconds: float
    history: Sequence[tuple[int, float]]
    seed: int
    population: int
    space: str
    start: Network
    stopped: str | None


def search(
    space: Space,
    resolution: int,
    classes: int,
    budget: Budget,
    *,
    evaluations: int = 96_000,
    population: int = 256,
    seed: int = 0,
    reading: Reading = "paper",
    keep: int = 20,
    progress: Callable[[SearchProgress], None] = lambda now: None,
) -> SearchResult:
    """The best networks of a space within a budget; the same seed gives the same result anywhere.

    Raises UserError where not even the smallest network of the space fits.
    """
    judge = _Judge(resolution, classes, budget, reading)
    rng = random.Random(seed)
    start = _fitting_start(space, judge)
    first = judge.score(start)
    heap = [(first, 0, start)]
    members = {start}
    best, history = first, [(1, first)]
    evaluated, turned_away, rejected = 1, 0, Counter[str]()
    stopped = None
    began = reported = perf_counter()
    while evaluated < evaluations:
        if turned_away % _CLOCK_EVERY == 0 or evaluated % _CLOCK_EVERY == 0:
            now = perf_counter()
            if now - reported >= _REPORT_EVERY_SECONDS:
                progress(SearchProgress(evaluated, best, rejected, now - began))
                reported = now
        child = mutate(heap[rng.randrange(len(heap))][2], space, rng)
        broken = None if child in members else judge.broken_by(child)
        if child in members or broken is not None:
            if broken is not None:
                rejected[broken] += 1
            turned_away += 1
            if turned_away >= PATIENCE:
                stopped = f"{PATIENCE:,} proposals in a row were known or over budget"
                break
            continue
        turned_away = 0
        score = judge.score(child)
        evaluated += 1
        members.add(child)
        entry = (score, evaluated, child)
        if len(heap) < population:
            heapq.heappush(heap, entry)
        else:
            members.discard(heapq.heappushpop(heap, entry)[2])
        if score > best:
            best = score
            history.append((evaluated, score))
    seconds = perf_counter() - began
    ranked = sorted(heap, key=lambda entry: (-entry[0], entry[1]))[:keep]
    return SearchResult(
        best=[judge.candidate(blocks, score) for score, _, blocks in ranked],
        evaluated=evaluated,
        rejected=rejected,
        seconds=seconds,
        history=history,
        seed=seed,
        population=population,
        space=space.name,
        start=judge.network(start),
        stopped=stopped,
    )


@dataclass(slots=True)
class _Terms:
    """What one block (or the head) at one input size adds to every sum; `parts` are asked for when needed."""

    workloads: tuple[Workload, ...]
    macs: int
    params: int
    peak_activation_bytes: int
    transfer: Transfer
    output_size: int
    parts: tuple[Part, ...] | None = None


class _Judge:
    """Cost, latency and score of chains of blocks at one resolution."""

    def __init__(self, resolution: int, classes: int, budget: Budget, reading: Reading) -> None:
        self.resolution, self.classes, self.budget = resolution, classes, budget
        self._reading = reading
        self._known: dict[tuple[Block | HeadUnit, int], _Terms] = {}

    def network(self, blocks: Blocks) -> Network:
        return Network(blocks, self.resolution, self.classes)

    def score(self, blocks: Blocks) -> float:
        """The closed-form score: `zen_closed` of the network, its blocks' transfers kept."""
        *terms, _ = self._terms(blocks)
        values = blocks[-1].out_channels * terms[-1].output_size ** 2
        return score_at(through([term.transfer for term in terms]), values)

    def broken_by(self, blocks: Blocks) -> str | None:
        """Name of the first budget that the network breaks, the cheap ones asked first."""
        terms = self._terms(blocks)
        broken = self.budget.broken_by(self._cost(blocks, terms))
        if broken is not None or not self.budget.latencies:
            return broken
        estimates = self._estimates(blocks, terms)
        over = (
            limit.name
            for limit, estimate in zip(self.budget.latencies, estimates, strict=True)
            if estimate.ms > limit.limit_ms
        )
        return next(over, None)

    def candidate(self, blocks: Blocks, score: float) -> Candidate:
        terms = self._terms(blocks)
        return Candidate(
            self.network(blocks), score, self._cost(blocks, terms), self._estimates(blocks, terms)
        )

    def _terms(self, blocks: Blocks) -> list[_Terms]:
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        found, size = [], self.resolution
        for index, block in enumerate(blocks):
            terms = self._known.get((block, size))
            if terms is None:
                # Only a stem takes an image's channels, so a block's key tells whether it is the first.
                transfer, _ = block_transfer(block, size, self._reading, first=index == 0)
                terms = self._new_terms(block_workloads(block, size), transfer)
                self._known[block, size] = terms
            found.append(terms)
            size = terms.output_size
        head = HeadUnit(blocks[-1].out_channels, self.classes)
        terms = self._known.get((head, size))
        if terms is None:
            terms = self._known[head, size] = self._new_terms((Workload(head, size),), Transfer())
        found.append(terms)
        return found

    def _new_terms(self, workloads: tuple[Workload, ...], transfer: Transfer) -> _Terms:
        costs = [workload_cost(workload) for workload in workloads]
        return _Terms(
            workloads=workloads,
            macs=sum(cost.macs for cost in costs),
            params=sum(cost.params for cost in costs),
            peak_activation_bytes=max(cost.peak_activation_bytes for cost in costs),
            transfer=transfer,
            output_size=workloads[-1].output_size,
        )

    def _cost(self, blocks: Blocks, terms: Sequence[_Terms]) -> Cost:
        return Cost(
            macs=sum(term.macs for term in terms),
            params=sum(term.params for term in terms),
            layers=sum(block.layers for block in blocks),
            peak_activation_bytes=max(term.peak_activation_bytes for term in terms),
        )

    def _estimates(self, blocks: Blocks, terms: Sequence[_Terms]) -> tuple[Estimate, ...]:
        if not self.budget.latencies:
            return ()
        network, parts = self.network(blocks), [self._parts(term) for term in terms]
        return tuple(
            limit.model.total(column, network)
            for limit, column in zip(self.budget.latencies, zip(*parts, strict=True), strict=True)
        )

    def _parts(self, terms: _Terms) -> tuple[Part, ...]:
        if terms.parts is None:
            terms.parts = tuple(
                Part.sum([limit.model.block(workload) for workload in terms.workloads])
                for limit in self.budget.latencies
            )
        return terms.parts


def _fitting_start(space: Space, judge: _Judge) -> Blocks:
    """The space's start network, thinned until it fits the budget."""
    start = space.start(judge.resolution)
    if judge.broken_by(start) is None:
        return start
    for factor in (0.75, 0.5, 0.25, 0.125):
        thin = chain([_thinned(block, factor) for block in start])
        if judge.broken_by(thin) is None:
            return thin
    smallest = space.smallest(judge.resolution)
    broken = judge.broken_by(smallest)
    if broken is not None:
        candidate = judge.candidate(smallest, 0.0)
        latencies = {
            limit.name: f"{estimate.ms:.3g} ms"
            for limit, estimate in zip(judge.budget.latencies, candidate.estimates, strict=True)
        }
        value = latencies.get(broken) or getattr(candidate.cost, broken)
        raise UserError(
            f"impossible budget: the smallest network of the space '{space.name}' at resolution "
            f"{judge.resolution} has {broken} {value}; raise that limit or lower --resolution"
        )
    return smallest


def _thinned(block: Block, factor: float) -> Block:
    return replace(
        block,
        out_channels=max(MIN_WIDTH, round_to_8(block.out_channels * factor)),
        bottleneck=round_to_8(block.bottleneck * factor) if block.bottleneck else 0,
    )
