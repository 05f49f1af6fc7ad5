"""Fronts held against separate searches and NSGA-II.

OMP_NUM_THREADS=1 python benchmarks/search/front.py AXIS

AXIS is params, macs, or a host table's .csv for a front along its latency; SEEDS may follow (5). CIFAR
networks of at most 18 layers, up to 2M parameters, 600M MACs or 4 ms, 96,000 evaluations a method and seed;
the separate searches share them at five budgets, 1/16 to all of the limit. NSGA-II is pymoo's, with the
mutation and the crossover of the front, population 256, and is given all that it ever scored as its front.
The ladder is what --front does. Prints one row a method, medians over seeds:

scores     best score within each of the five budgets, over that of the separate search there
hv log     hypervolume over that of the separate searches, the axis logarithmic, cut off at 1/16; the
           reference is the limit and the score of the smallest network of the space
hv linear  the same, the axis linear
CPU s      processor seconds
"""

import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import log
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.crossover import Crossover
from pymoo.core.duplicate import DuplicateElimination
from pymoo.core.mutation import Mutation
from pymoo.core.problem import Problem
from pymoo.core.sampling import Sampling
from pymoo.optimize import minimize
from zenbench.latency_tables.measured.model import TableModel
from zenbench.latency_tables.table import LatencyTable
from zenbench.zen.network import Network
from zenbench.zen.proxies.closed_form import zen_closed
from zenbench.zen.search import front as pareto
from zenbench.zen.search.algorithm import ALGORITHMS, DEFAULT_ALGORITHM
from zenbench.zen.search.block_cache import Genome
from zenbench.zen.search.budget import Budget, LatencyLimit
from zenbench.zen.search.crossover import crossed
from zenbench.zen.search.evaluator import Evaluator
from zenbench.zen.search.mutation import StepMutation
from zenbench.zen.search.run import search
from zenbench.zen.search.start import fitting_start
from zenbench.zen.search.task import SearchTask
from zenbench.zen.space import spaces

SPACE = spaces()["resnet"]
SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
NSGA_POPULATION = 256

Points = list[tuple[float, float]]
"""(cost, score), in the order of their cost, each better than all before."""


def within(axis: str, limit: float, model: TableModel | None, seed: int) -> SearchTask:
    if model is not None:
        budget = Budget(layers=18, latencies=(LatencyLimit(limit, model),))
    else:
        budget = Budget(layers=18, **{axis: int(limit)})  # type: ignore[arg-type]
    return SearchTask(SPACE, 32, 100, budget, seed=seed)


def undominated(points: Sequence[tuple[float, float]]) -> Points:
    found: Points = []
    for cost, score in sorted(points, key=lambda point: (point[0], -point[1])):
        if not found or score > found[-1][1]:
            found.append((cost, score))
    return found


def best_within(points: Points, budget: float) -> float:
    return max(score for cost, score in points if cost <= budget)


def hypervolume(points: Points, limit: float, of: Callable[[float], float]) -> float:
    least = zen_closed(Network(SPACE.smallest(32), 32, 100))
    cut = undominated([(max(cost, limit / 16), score) for cost, score in points])
    ends = [cost for cost, _ in cut[1:]] + [limit]
    return sum((score - least) * (of(end) - of(cost)) for (cost, score), end in zip(cut, ends, strict=True))


def separate(axis: pareto.Axis, tasks: Sequence[SearchTask]) -> Points:
    found = []
    for task in tasks:
        part = replace(task, evaluations=task.evaluations // len(tasks))
        found += [(pareto.cost_along(axis, task.budget, c), c.score) for c in search(part).best]
    return undominated(found)


def ladder(axis: pareto.Axis, task: SearchTask, crossing: float) -> Points:
    shipped = ALGORITHMS[DEFAULT_ALGORITHM]
    altered = replace(shipped, name=f"crossover {crossing}", crossover=crossing)
    ALGORITHMS[altered.name] = altered
    result = search(replace(task, front=axis, algorithm=altered.name))
    return undominated([(pareto.cost_along(axis, task.budget, c), c.score) for c in result.best])


def nsga2(axis: pareto.Axis, task: SearchTask, crossing: float) -> Points:
    evaluator, rng = (
        Evaluator(task.resolution, task.classes, task.budget, task.reading),
        random.Random(task.seed),
    )
    mutate, value = StepMutation(task.space), pareto.axis_value(axis, evaluator)
    least = pareto.axis_limit(axis, task.budget) / pareto.SPAN
    start, seen = fitting_start(task, evaluator), list[tuple[float, float]]()

    def child(parents: Sequence[Genome], one: Genome) -> Genome:
        while True:
            made = one
            if rng.random() < crossing:
                made = crossed(one, rng.choice(parents), evaluator.cache, rng)
            if made is one or rng.random() >= 0.5:
                made = mutate(made, evaluator.cache, rng)
            if evaluator.broken_by(made) is None:
                return made

    def column(genomes: Sequence[Genome]) -> np.ndarray:
        values = np.empty((len(genomes), 1), dtype=object)
        for index, genome in enumerate(genomes):
            values[index, 0] = genome
        return values

    class Networks(Problem):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(n_var=1, n_obj=2)

        def _evaluate(self, x, out, *_, **__):  # type: ignore[no-untyped-def]
            points = [(value(genome), evaluator.score(genome)) for (genome,) in x]
            seen.extend(points)
            out["F"] = np.array([(log(max(cost, least)), -score) for cost, score in points])

    class Starts(Sampling):  # type: ignore[misc]
        def _do(self, _, count, **__):  # type: ignore[no-untyped-def]
            return column([start, *(child([start], start) for _ in range(count - 1))])

    class Child(Mutation):  # type: ignore[misc]
        def _do(self, _, x, **__):  # type: ignore[no-untyped-def]
            parents = [genome for (genome,) in x]
            return column([child(parents, genome) for genome in parents])

    class Distinct(DuplicateElimination):  # type: ignore[misc]
        def _do(self, population, other, known):  # type: ignore[no-untyped-def]
            met = {one.X[0] for one in other} if other is not None else set()
            for index, one in enumerate(population):
                known[index] = one.X[0] in met
                if other is None:
                    met.add(one.X[0])
            return known

    method = NSGA2(
        pop_size=NSGA_POPULATION,
        sampling=Starts(),
        crossover=Crossover(1, 1, prob=0.0),  # a copy of one parent; `child` does the rest
        mutation=Child(),
        eliminate_duplicates=Distinct(),
    )
    minimize(Networks(), method, ("n_eval", task.evaluations), seed=task.seed)
    return undominated(seen)


def main(arguments: Sequence[str]) -> None:
    given = Path(arguments[0])
    model = TableModel(LatencyTable.load(given)) if given.suffix == ".csv" else None
    axis = next((axis for axis in pareto.AXES if axis == arguments[0]), pareto.AXES[0])
    limit = {"params": 2e6, "macs": 600e6, "latency": 4.0}[axis]
    seeds = int(arguments[1]) if len(arguments) > 1 else 5
    budgets = [limit * share for share in SHARES]
    crossing = ALGORITHMS[DEFAULT_ALGORITHM].crossover
    methods: dict[str, Callable[[int], Points]] = {
        "separate searches": lambda seed: separate(axis, [within(axis, b, model, seed) for b in budgets]),
        "ladder": lambda seed: ladder(axis, within(axis, limit, model, seed), crossing),
        "ladder, mutation alone": lambda seed: ladder(axis, within(axis, limit, model, seed), 0.0),
        "NSGA-II": lambda seed: nsga2(axis, within(axis, limit, model, seed), crossing),
        "NSGA-II, mutation alone": lambda seed: nsga2(axis, within(axis, limit, model, seed), 0.0),
    }
    print(f"{axis}, {seeds} seeds")
    print(f"{'':24}{'score at 1/16  1/8     1/4     1/2     1':42}hv log  hv linear  CPU s", flush=True)
    rivals: list[Points] = []
    for name, method in methods.items():
        found, seconds = [], []
        for seed in range(seeds):
            started = process_time()
            found.append(method(seed))
            seconds.append(process_time() - started)
        rivals = rivals or found
        pairs = list(zip(found, rivals, strict=True))
        scores = [median(best_within(f, b) / best_within(r, b) for f, r in pairs) for b in budgets]
        volumes = [
            median(hypervolume(f, limit, of) / hypervolume(r, limit, of) for f, r in pairs)
            for of in (log, float)
        ]
        cells = "  ".join(f"{score:.4f}" for score in scores)
        print(f"{name:24}{cells:42}{volumes[0]:.4f}  {volumes[1]:.4f}     {median(seconds):.1f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
