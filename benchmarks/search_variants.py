"""Ways to evolve, at equal evaluations: `python benchmarks/search_variants.py [EVALUATIONS [SEEDS]]`.

The CIFAR task of the paper (1M parameters, 18 layers); best closed-form score by way, over seeds.
"""

import sys
from collections.abc import Iterable
from dataclasses import replace
from statistics import median
from typing import Any

from zenbench.zen import search as searching
from zenbench.zen.algorithm import ALGORITHMS
from zenbench.zen.budget import Budget
from zenbench.zen.island import Island, IslandState
from zenbench.zen.judge import Judge
from zenbench.zen.pieces import Genome
from zenbench.zen.search import search
from zenbench.zen.space import spaces
from zenbench.zen.task import Task

TASK = Task(spaces()["resnet"], 32, 100, Budget(params=10**6, layers=18))
CROSSOVER_CHANCE = 0.1
RESTART_AFTER = 8_000
"""Evaluations of one island without a better network."""


class Ageing(Island):
    """The oldest leaves, not the worst (regularised evolution, Real et al. 2019, arXiv 1802.01548); the
    parent is the best of a sample of 8, since nothing else selects then."""

    def _child(self) -> Genome:
        sample = [self._heap[int(self._rng.random() * len(self._heap))] for _ in range(8)]
        return self._mutate(max(sample)[2], self.judge.pieces, self._rng)

    def _join(self, score: float, born: int, genome: Genome) -> None:
        self._members[genome] += 1
        self._heap.append((score, born, genome))
        if len(self._heap) > self._population:
            gone = self._heap.pop(0)[2]
            self._members[gone] -= 1
            if not self._members[gone]:
                del self._members[gone]
        if score > self._history[-1][1]:
            self._history.append((self._evaluated, score))


class Tournament(Island):
    """The parent is the better of two."""

    def _child(self) -> Genome:
        pair = [self._heap[int(self._rng.random() * len(self._heap))] for _ in range(2)]
        return self._mutate(max(pair)[2], self.judge.pieces, self._rng)


class Crossover(Island):
    """Now and then the front of one network is put before the back of another, cut at equal sizes."""

    def _child(self) -> Genome:
        child = super()._child()
        if self._rng.random() >= CROSSOVER_CHANCE:
            return child
        other = self._heap[int(self._rng.random() * len(self._heap))][2]
        cut = int(self._rng.random() * (len(child) - 1)) + 1
        places = [index for index in range(1, len(other)) if other[index].size == child[cut].size]
        if not places:
            return child
        back = list(other[places[int(self._rng.random() * len(places))] :])
        back[0] = self.judge.pieces.changed(back[0], "in_channels", child[cut - 1].block.out_channels)
        return (*child[:cut], *back)


class Restarts(Island):
    """After a long time without a better network, all but the best ever begin anew from the start."""

    def __init__(self, task: Task, index: int, state: IslandState, judge: Judge) -> None:
        super().__init__(task, index, state, judge)
        self._first = state.members[0]
        self._began = 0
        self._hall: list[Any] = []

    def advance(self, until: int) -> None:
        super().advance(until)
        if self._evaluated - max(self._began, self._history[-1][0]) > RESTART_AFTER:
            self._hall.append(max(self._heap))
            self._heap.clear()
            self._members.clear()
            self._began = self._evaluated
            self.settle([self._first])

    def state(self) -> IslandState:
        state = super().state()
        old = [(score, born, tuple(piece.block for piece in genome)) for score, born, genome in self._hall]
        return replace(state, members=[*state.members, *old])


def scores(task: Task, island: type[Island], seeds: Iterable[int]) -> list[float]:
    searching.Island = island  # type: ignore[misc]
    return sorted(search(replace(task, seed=seed), keep=1).best[0].score for seed in seeds)


def main(evaluations: int = 96_000, seeds: int = 10) -> None:
    repeated = replace(ALGORITHMS["steps"], name="steps, repeats", distinct=False)
    ALGORITHMS[repeated.name] = repeated
    task = replace(TASK, evaluations=evaluations)
    ways: list[tuple[str, Task, type[Island]]] = [
        ("as shipped", task, Island),
        ("the same network more than once", replace(task, algorithm=repeated.name), Island),
        ("ageing", task, Ageing),
        ("tournament of two", task, Tournament),
        ("crossover", task, Crossover),
        ("restarts", task, Restarts),
        ("1 island", replace(task, islands=1), Island),
        ("2 islands", replace(task, islands=2), Island),
        ("8 islands", replace(task, islands=8), Island),
        ("population 128", replace(task, population=128), Island),
        ("population 512", replace(task, population=512), Island),
        ("the paper's algorithm", replace(task, algorithm="paper", islands=1), Island),
    ]
    print(f"{evaluations:,} evaluations, {seeds} seeds{'':14}  median   least    most")
    for name, each, island in ways:
        found = scores(each, island, range(100, 100 + seeds))
        print(f"{name:42}{median(found):8.2f}{found[0]:8.2f}{found[-1]:8.2f}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
