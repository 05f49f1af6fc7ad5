"""Ways to evolve, at equal evaluations: `python benchmarks/search/search_variants.py [EVALUATIONS [SEEDS]]`.

CIFAR networks under two budgets; the best closed-form score by way, over seeds.
"""

import random
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import median

from zenbench.zen.search import island as islands
from zenbench.zen.search.algorithm import ALGORITHMS, DEFAULT_ALGORITHM
from zenbench.zen.search.block_cache import BlockCache, Genome
from zenbench.zen.search.budget import Budget
from zenbench.zen.search.crossover import child
from zenbench.zen.search.mutation import Mutate
from zenbench.zen.search.population import Fittest, Living
from zenbench.zen.search.run import search
from zenbench.zen.search.task import SearchTask
from zenbench.zen.space import spaces

TASK = SearchTask(spaces()["resnet"], 32, 100, Budget())
TASKS = {
    "1M parameters, 18 layers": Budget(params=10**6, layers=18),
    "600M MACs, 18 layers": Budget(macs=600_000_000, layers=18),
}
RESTART_AFTER = 8_000
"""Evaluations of one island without a better network."""


class Ageing(Fittest):
    """The oldest leaves, not the worst (regularised evolution, Real et al. 2019, arXiv 1802.01548); the
    parent is the best of a sample of 8, since nothing else selects then."""

    def propose(self, cache: BlockCache, rng: random.Random) -> Genome:
        return child(lambda: max(rng.choices(self._heap, k=8))[2], self._mutate, self._crossover, cache, rng)

    def join(self, score: float, born: int, genome: Genome) -> None:
        self._known[genome] += 1
        self._heap.append((score, born, genome))
        if len(self._heap) > self._size:
            gone = self._heap.pop(0)[2]
            self._known[gone] -= 1
            if not self._known[gone]:
                del self._known[gone]


class Tournament(Fittest):
    """The parent is the better of two."""

    def propose(self, cache: BlockCache, rng: random.Random) -> Genome:
        return child(lambda: max(rng.choices(self._heap, k=2))[2], self._mutate, self._crossover, cache, rng)


class Restarts(Fittest):
    """After a long time without a better network, all but the best ever begin anew from the start."""

    def __init__(self, members: Iterable[Living], size: int, mutate: Mutate, crossover: float) -> None:
        super().__init__(members, size, mutate, crossover)
        self._first = self._heap[0]
        self._hall: list[Living] = []
        self._best, self._waited = self._first[0], 0

    def join(self, score: float, born: int, genome: Genome) -> None:
        super().join(score, born, genome)
        self._waited += 1
        if score > self._best:
            self._best, self._waited = score, 0
        if self._waited > RESTART_AFTER:
            self._hall.append(max(self._heap))
            self._heap[:] = [self._first]
            self._known = Counter([self._first[2]])
            self._best, self._waited = self._first[0], 0

    def members(self) -> Sequence[Living]:
        return [*self._heap, *self._hall]


def scores(task: SearchTask, population: type[Fittest], seeds: Iterable[int]) -> list[float]:
    islands.Fittest = population  # type: ignore[misc]
    return sorted(search(replace(task, seed=seed), keep=1).best[0].score for seed in seeds)


def altered(task: SearchTask, **changes: object) -> SearchTask:
    """The task by the default algorithm with something changed, known under what that is."""
    name = ", ".join(f"{key} {value}" for key, value in changes.items())
    ALGORITHMS[name] = replace(ALGORITHMS[DEFAULT_ALGORITHM], name=name, **changes)  # type: ignore[arg-type]
    return replace(task, algorithm=name)


def main(evaluations: int = 96_000, seeds: int = 10) -> None:
    for title, budget in TASKS.items():
        task = replace(TASK, budget=budget, evaluations=evaluations)
        ways: list[tuple[str, SearchTask, type[Fittest]]] = [
            ("as shipped", task, Fittest),
            ("without crossover", altered(task, crossover=0.0), Fittest),
            ("crossover of 30 %", altered(task, crossover=0.3), Fittest),
            ("the same network more than once", altered(task, distinct=False), Fittest),
            ("ageing", task, Ageing),
            ("tournament of two", task, Tournament),
            ("restarts", task, Restarts),
            ("1 island of 64", replace(task, islands=1, population=64), Fittest),
            ("8 islands of 16", replace(task, islands=8), Fittest),
            ("4 islands of 64", replace(task, population=256), Fittest),
            ("the paper's algorithm", replace(task, algorithm="paper", islands=1), Fittest),
        ]
        print(f"{title}, {evaluations:,} evaluations, {seeds} seeds")
        print(f"{'':42}  median   least    most")
        for name, each, population in ways:
            found = scores(each, population, range(100, 100 + seeds))
            print(f"{name:42}{median(found):8.2f}{found[0]:8.2f}{found[-1]:8.2f}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
