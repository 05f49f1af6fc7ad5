"""Ways to evolve, at equal evaluations: `python benchmarks/search_variants.py [EVALUATIONS [SEEDS]]`.

The CIFAR task of the paper (1M parameters, 18 layers); best closed-form score by way, over seeds.
"""

import random
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import median

from zenbench.zen import island as islands
from zenbench.zen.algorithm import ALGORITHMS
from zenbench.zen.budget import Budget
from zenbench.zen.crossover import crossed
from zenbench.zen.mutation import Mutate
from zenbench.zen.pieces import Genome, Pieces
from zenbench.zen.population import Fittest, Living
from zenbench.zen.search import search
from zenbench.zen.space import spaces
from zenbench.zen.task import Task

TASK = Task(spaces()["resnet"], 32, 100, Budget(params=10**6, layers=18))
CROSSOVER_CHANCE = 0.1
RESTART_AFTER = 8_000
"""Evaluations of one island without a better network."""


class Ageing(Fittest):
    """The oldest leaves, not the worst (regularised evolution, Real et al. 2019, arXiv 1802.01548); the
    parent is the best of a sample of 8, since nothing else selects then."""

    def propose(self, pieces: Pieces, rng: random.Random) -> Genome:
        return self._mutate(max(rng.choices(self._heap, k=8))[2], pieces, rng)

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

    def propose(self, pieces: Pieces, rng: random.Random) -> Genome:
        return self._mutate(max(rng.choices(self._heap, k=2))[2], pieces, rng)


class Crossover(Fittest):
    """Now and then a child has two parents, and half of these are mutated as well."""

    def propose(self, pieces: Pieces, rng: random.Random) -> Genome:
        if rng.random() >= CROSSOVER_CHANCE:
            return super().propose(pieces, rng)
        one, other = rng.choices(self._heap, k=2)
        child = crossed(one[2], other[2], pieces, rng)
        return child if rng.random() < 0.5 else self._mutate(child, pieces, rng)


class Restarts(Fittest):
    """After a long time without a better network, all but the best ever begin anew from the start."""

    def __init__(self, members: Iterable[Living], size: int, mutate: Mutate) -> None:
        super().__init__(members, size, mutate)
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


def scores(task: Task, population: type[Fittest], seeds: Iterable[int]) -> list[float]:
    islands.Fittest = population  # type: ignore[misc]
    return sorted(search(replace(task, seed=seed), keep=1).best[0].score for seed in seeds)


def main(evaluations: int = 96_000, seeds: int = 10) -> None:
    repeated = replace(ALGORITHMS["steps"], name="steps, repeats", distinct=False)
    ALGORITHMS[repeated.name] = repeated
    task = replace(TASK, evaluations=evaluations)
    ways: list[tuple[str, Task, type[Fittest]]] = [
        ("as shipped", task, Fittest),
        ("the same network more than once", replace(task, algorithm=repeated.name), Fittest),
        ("ageing", task, Ageing),
        ("tournament of two", task, Tournament),
        ("crossover", task, Crossover),
        ("restarts", task, Restarts),
        ("1 island", replace(task, islands=1), Fittest),
        ("2 islands", replace(task, islands=2), Fittest),
        ("8 islands", replace(task, islands=8), Fittest),
        ("population 128", replace(task, population=128), Fittest),
        ("population 512", replace(task, population=512), Fittest),
        ("the paper's algorithm", replace(task, algorithm="paper", islands=1), Fittest),
    ]
    print(f"{evaluations:,} evaluations, {seeds} seeds{'':14}  median   least    most")
    for name, each, population in ways:
        found = scores(each, population, range(100, 100 + seeds))
        print(f"{name:42}{median(found):8.2f}{found[0]:8.2f}{found[-1]:8.2f}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
