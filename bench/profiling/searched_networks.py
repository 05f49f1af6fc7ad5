"""Networks as searches return them: a table that searches ask should know such networks.

A search optimises two models at once, the score and the table, so it goes where the table errs in its favour,
to networks that random ones are not like. So half of the networks that a profile learns from, and half of
those that it holds out, are found by short searches against the table as it stands.

Without limits of shape these would have hundreds of layers, which no search returns: by default it guards the
depth, at 8 to 30 layers or so by the budget. So the most layers are drawn, too, around that range, often a
least width, and the latency limit from what random networks of the space take.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import UserError
from ...latency_tables.measured.model import TableModel
from ...zen.network import Network
from ...zen.random_networks import random_network, usual_classes
from ...zen.search import Budget, LatencyLimit, SearchTask, search
from ...zen.space import Space

FINALISTS = 6
"""Of each search, which differ in depth or width: a search and its model take half a second."""
FRUITLESS_SEARCHES = 3
"""A small space has no more to find after so many searches in a row without a new network."""
_EVALUATIONS = 400
_POPULATION = 16
_RANDOM_NETWORKS = 8
_LAYERS = (6.0, 60.0)
_LEAST_WIDTHS = (16, 32, 64)


@dataclass(frozen=True)
class SearchedNetworks:
    """Short searches in each of the spaces in turn, at the resolutions in random order."""

    spaces: Sequence[Space]
    resolutions: Sequence[int]
    seed: int

    def found(self, model: TableModel, number: int) -> list[Network]:
        """The finalists of the search of that number, best first.

        Empty where it finds none: its budget is out of reach, or the table is too small to predict.
        """
        rng = random.Random(f"{self.seed}/{number}")
        space, resolution = self.spaces[number % len(self.spaces)], rng.choice(list(self.resolutions))
        try:
            result = search(_task(model, space, resolution, rng), keep=FINALISTS)
        except UserError:
            return []
        return [candidate.network for candidate in result.best]


def _task(model: TableModel, space: Space, resolution: int, rng: random.Random) -> SearchTask:
    """With limits that the smallest network of the space keeps: a search looks long for others."""
    classes = usual_classes(resolution)
    widest = min(space.widths[1], space.last_widths[1])
    min_width = rng.choice([None, *(width for width in _LEAST_WIDTHS if width <= widest)])
    smallest = Network(space.smallest(resolution, min_width or 0), resolution, classes)
    drawn = [random_network(space, resolution, classes, rng) for _ in range(_RANDOM_NETWORKS)]
    latencies = [model.estimate(network).ms for network in drawn]
    least_ms = max(model.estimate(smallest).ms, min(latencies))
    limit_ms = _log_uniform(rng, least_ms, max(latencies))
    layers = round(_log_uniform(rng, max(smallest.layers, _LAYERS[0]), _LAYERS[1]))
    budget = Budget(layers=layers, min_width=min_width, latencies=(LatencyLimit(limit_ms, model),))
    return SearchTask(
        space,
        resolution,
        classes,
        budget,
        evaluations=_EVALUATIONS,
        population=_POPULATION,
        seed=rng.getrandbits(32),
        islands=1,
    )


def _log_uniform(rng: random.Random, low: float, high: float) -> float:
    """`low` where that is not below `high`."""
    return low * float(max(high / low, 1.0) ** rng.random())
