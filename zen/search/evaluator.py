"""Evaluator: what a network scores and costs, and which budget it breaks, by look-ups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, isfinite

from ...errors import NetworkError
from ..blocks import Block
from ..cost import Cost, workload_cost
from ..latency import Estimate
from ..network import Network
from ..proxies.base import Reading
from ..proxies.closed_form import score_at, through
from .block_cache import BlockCache, Genome
from .budget import Budget
from .shape_limits import depth_to_width, stage_share

SCORE_DIGITS = 9
"""Scores are rounded to so many decimals: sums in another order, or another machine's logarithm, must not
decide which of two equal networks survives."""


BEYOND_DEPTH, BEYOND_WIDTH, BEYOND_OPERATIONS = BEYOND = (
    "convolutions in a row",
    "channels of the narrowest block",
    "blocks with unknown operations",
)
"""What takes a network out of a latency model's domain."""


@dataclass(frozen=True)
class Candidate:
    """A scored network that fits the budget; estimates in the order of the budget's latencies."""

    network: Network
    score: float
    cost: Cost
    estimates: tuple[Estimate, ...]


@dataclass(frozen=True)
class Excess:
    """A limit, what a network has instead, and by what share it is off."""

    name: str
    value: float
    limit: float
    share: float


class Evaluator:
    """Cost, latency and score of the networks of one resolution, under one budget."""

    def __init__(self, resolution: int, classes: int, budget: Budget, reading: Reading) -> None:
        self.resolution, self.classes = resolution, classes
        self.budget, self.reading = budget, reading
        self.cache = BlockCache(classes, reading, [limit.model for limit in budget.latencies])
        self._most_layers = _limit(budget.layers)
        self._most_params = _limit(budget.params)
        self._most_macs = _limit(budget.macs)
        self._most_bytes = _limit(budget.peak_activation_bytes)
        self._least_width = budget.min_width or 0
        self._domains = [limit.domain for limit in budget.latencies if limit.domain is not None]
        self._shaped = (
            bool(self._domains) or budget.max_stage_share is not None or budget.max_depth_to_width is not None
        )
        self._latencies = [(limit.limit_ms, limit.margin, limit) for limit in budget.latencies]

    def forget(self) -> None:
        """Empties the cache; genomes must be made again with `genome`."""
        self.cache.close()

    def genome(self, blocks: Sequence[Block]) -> Genome:
        return self.cache.genome(blocks, self.resolution)

    def network(self, genome: Genome) -> Network:
        return Network(tuple(cached.block for cached in genome), self.resolution, self.classes)

    def score(self, genome: Genome) -> float:
        """The closed-form score: `zen_closed` of the network, its blocks' transfers kept.

        Raises NetworkError where the closed form does not hold, or gives no finite number.
        """
        last = genome[-1]
        values = last.block.out_channels * last.output_size**2
        transfer = self.cache.transfer
        try:
            state = through([cached.transfer or transfer(cached) for cached in genome])
            score = round(score_at(state, values), SCORE_DIGITS)
        except (OverflowError, ValueError, ZeroDivisionError):  # of a state that has left the floats
            score = inf
        if not isfinite(score):
            raise NetworkError("the closed form gives no finite score for this network")
        return score

    def broken_by(self, genome: Genome) -> str | None:
        """Name of the first budget that the network breaks, the cheap ones asked first."""
        # Called for every proposal: written for speed.
        layers = 0
        for cached in genome:
            layers += cached.layers
            if cached.width < self._least_width:
                return "min_width"
        if layers > self._most_layers:
            return "layers"
        cache = self.cache
        head = cache.head(genome[-1])
        params, macs = head.params, head.macs
        for cached in genome:
            if cached.macs < 0:
                cache.count(cached)
            params += cached.params
            macs += cached.macs
        if params > self._most_params:
            return "params"
        if macs > self._most_macs:
            return "macs"
        if self._most_bytes < inf and self._peak_activation_bytes(genome) > self._most_bytes:
            return "peak_activation_bytes"
        if self._shaped and (excess := next(self._misshapen(genome), None)):
            return excess.name
        if self._latencies:
            for (limit_ms, margin, limit), estimate in zip(
                self._latencies, self.estimates(genome), strict=True
            ):
                if estimate.ms + margin * estimate.std_ms > limit_ms:
                    return limit.name
        return None

    def excesses(self, genome: Genome) -> list[Excess]:
        """Every limit that the network breaks, and by how much."""
        cost, found = self.cost(genome), []
        for name in ("layers", "params", "macs", "peak_activation_bytes"):
            value, limit = getattr(cost, name), getattr(self.budget, name)
            if limit is not None and value > limit:
                found.append(Excess(name, value, limit, value / limit - 1))
        found += self._misshapen(genome)
        for (limit_ms, margin, latency), estimate in zip(
            self._latencies, self.estimates(genome), strict=True
        ):
            ms = estimate.ms + margin * estimate.std_ms
            if ms > limit_ms:
                found.append(Excess(latency.name, ms, limit_ms, ms / limit_ms - 1))
        return found

    def cost(self, genome: Genome) -> Cost:
        for cached in genome:
            if cached.macs < 0:
                self.cache.count(cached)
        head = self.cache.head(genome[-1])
        return Cost(
            macs=head.macs + sum(cached.macs for cached in genome),
            params=head.params + sum(cached.params for cached in genome),
            layers=sum(cached.layers for cached in genome),
            peak_activation_bytes=self._peak_activation_bytes(genome),
        )

    def estimates(self, genome: Genome) -> tuple[Estimate, ...]:
        """One a latency limit."""
        if not self._latencies:
            return ()
        cache = self.cache
        flat = [cached.latencies or cache.latencies(cached) for cached in genome]
        flat.append(cache.unit_latencies(cache.head(genome[-1])))
        wholes = cache.parts(list(map(sum, zip(*flat, strict=True))))
        return tuple(
            limit.model.total(whole, lambda: self.network(genome))
            for limit, whole in zip(self.budget.latencies, wholes, strict=True)
        )

    def candidate(self, genome: Genome, score: float) -> Candidate:
        return Candidate(self.network(genome), score, self.cost(genome), self.estimates(genome))

    def _peak_activation_bytes(self, genome: Genome) -> int:
        """Blocks meet in one tensor, so the maximum over them is exact."""
        head = workload_cost(self.cache.head(genome[-1]).workload).peak_activation_bytes
        return max(head, *map(self.cache.peak_activation_bytes, genome))

    def _unlearned(self, genome: Genome) -> Iterator[Excess]:
        """What takes the network out of the domains of the latency models."""
        cache = self.cache
        most = min(domain.most_convolutions for domain in self._domains)
        convolutions = sum(cache.depth(cached).convolutions for cached in genome)
        if convolutions > most:
            yield Excess(BEYOND_DEPTH, convolutions, most, convolutions / most - 1)
        least = max(domain.least_width for domain in self._domains)
        width = min(cached.width for cached in genome)
        if width < least:
            yield Excess(BEYOND_WIDTH, width, least, least / width - 1)
        unknown = sum(not cache.known(cached, self._domains) for cached in genome)
        if unknown:
            yield Excess(BEYOND_OPERATIONS, unknown, 0, unknown)

    def _misshapen(self, genome: Genome) -> Iterator[Excess]:
        budget, width = self.budget, min(cached.width for cached in genome)
        if budget.min_width is not None and width < budget.min_width:
            yield Excess("min_width", width, budget.min_width, budget.min_width / width - 1)
        if budget.max_stage_share is not None:
            share = stage_share([cached.block for cached in genome])
            if share > budget.max_stage_share:
                yield Excess("stage share", share, budget.max_stage_share, share / budget.max_stage_share - 1)
        if budget.max_depth_to_width is not None:
            ratio = depth_to_width(self.cache.depth(cached) for cached in genome)
            limit = budget.max_depth_to_width
            if ratio > limit:
                yield Excess("depth to width", ratio, limit, ratio / limit - 1)
        if self._domains:
            yield from self._unlearned(genome)


def _limit(value: int | None) -> float:
    return inf if value is None else value
