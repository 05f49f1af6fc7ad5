"""The search at full size: `OMP_NUM_THREADS=1 python benchmarks/search/search.py TABLE [PART ...]`.

TABLE is a table's .csv, as `zenbench profile --device host` writes it. Parts, all without any named:
speed    scored candidates a second from a cold cache under all budgets at once, where the time goes,
         and memory after a million evaluations
scores   evaluations and seconds until given scores, beside the paper's algorithm, over seeds
quality  what ten seeds find in the budgets of six published ZenNets, by forward passes (an hour)
front    the front beside separate searches and NSGA-II (benchmarks/search/front.py)
workers  two workers beside one, in processes and on a local Ray (benchmarks/search/workers.py)
"""

import cProfile
import pstats
import resource
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import TypeVar

from zenbench.latency_tables.measured.model import TableModel
from zenbench.latency_tables.table import LatencyTable
from zenbench.zen.families import zoo
from zenbench.zen.proxies.base import Score
from zenbench.zen.proxies.closed_form import zen_closed
from zenbench.zen.search.algorithm import ALGORITHMS
from zenbench.zen.search.budget import Budget, LatencyLimit
from zenbench.zen.search.run import SearchResult, search
from zenbench.zen.search.task import SearchTask
from zenbench.zen.space import spaces

SEEDS = range(10)
EVALUATIONS = 96_000
CIFAR = SearchTask(spaces()["resnet"], 32, 100, Budget(params=10**6, layers=18), EVALUATIONS)
IMAGENET = SearchTask(spaces()["mobilenet"], 224, 1000, Budget(), EVALUATIONS)
PUBLISHED = {
    "zennet-cifar-0.5m": replace(CIFAR, budget=Budget(params=500_000, layers=16)),
    "zennet-cifar-1m": CIFAR,
    "zennet-cifar-2m": replace(CIFAR, budget=Budget(params=2_000_000, layers=20)),
    "zennet-400m-se": replace(IMAGENET, budget=Budget(macs=400_000_000, layers=14)),
    "zennet-600m-se": replace(IMAGENET, budget=Budget(macs=600_000_000, layers=14)),
    "zennet-900m-se": replace(IMAGENET, budget=Budget(macs=900_000_000, layers=16)),
}
"""The published networks' tasks: the size they are named by, their layers, their resolution."""
GOALS = (190, 195, 198, 200, 202, 204)
LOOP = {
    "mutation": ("mutation.py", "__call__"),
    "budgets, latency included": ("evaluator.py", "broken_by"),
    "  predictions": ("evaluator.py", "estimates"),
    "    of units never seen": ("model.py", "block"),
    "  counts of blocks never seen": ("block_cache.py", "count"),
    "score": ("evaluator.py", "score"),
    "  of blocks never seen": ("block_cache.py", "transfer"),
    "population": ("island.py", "_join"),
}
Result = TypeVar("Result")


def apart(work: Callable[..., Result], *arguments: object) -> Result:
    """The work in a process of its own, with nothing cached."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def full_tasks(table: Path) -> dict[str, SearchTask]:
    """Tasks with every kind of budget, the latency limit one that turns networks away."""
    model = TableModel(LatencyTable.load(table))
    return {
        "CIFAR": replace(CIFAR, budget=_with_latency(CIFAR, Budget(400_000_000, 10**6, 18), model)),
        "ImageNet": replace(
            PUBLISHED["zennet-900m-se"],
            budget=_with_latency(PUBLISHED["zennet-900m-se"], Budget(900_000_000, 20_000_000, 16), model),
        ),
    }


def _with_latency(task: SearchTask, budget: Budget, model: TableModel) -> Budget:
    """The budget with three quarters of the latency of what a short search finds without a limit."""
    found = search(replace(task, budget=budget, evaluations=5_000), keep=1).best[0].network
    limit_ms = 0.75 * model.estimate(found).ms
    return replace(budget, latencies=(LatencyLimit(limit_ms, model, confidence=0.9),))


def search_once(task: SearchTask) -> tuple[SearchResult, int]:
    """A search, and the peak of this process's memory in bytes."""
    result = search(task, keep=1)
    return result, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def profiled_search(task: SearchTask) -> dict[str, float]:
    """The share of the loop's time that each part of LOOP takes, what it calls included."""
    profile = cProfile.Profile()
    profile.enable()
    search(task, keep=1)
    profile.disable()
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    taken = {
        (Path(file).name, function): cumulative
        for (file, _, function), (_, _, _, cumulative, _) in stats.items()
    }
    loop = taken["island.py", "advance"]
    return {what: taken.get(place, 0.0) / loop for what, place in LOOP.items()}


def speed(table: Path) -> None:
    for name, task in full_tasks(table).items():
        runs = [apart(search_once, replace(task, seed=seed))[0] for seed in range(3)]
        rates = sorted(run.evaluated / run.seconds for run in runs)
        proposals = sorted((run.evaluated + sum(run.rejected.values())) / run.seconds for run in runs)
        print(
            f"{name}, {runs[0].evaluated:,} evaluations: {rates[1]:,.0f} scored candidates/s "
            f"({rates[0]:,.0f} to {rates[2]:,.0f}), {proposals[1]:,.0f} proposals/s; "
            f"rejected by {', '.join(f'{what} {count:,}' for what, count in runs[0].rejected.items())}"
        )
        for what, share in apart(profiled_search, task).items():
            print(f"    {what:32}{share:6.0%}")
    result, memory = apart(search_once, replace(task, evaluations=1_000_000))
    print(f"{result.evaluated:,} evaluations: {result.seconds:.0f} s, peak memory {memory / 1e6:.0f} MB")


def scores() -> None:
    ways = {"steps": CIFAR, "paper": replace(CIFAR, algorithm="paper", islands=ALGORITHMS["paper"].islands)}
    found: dict[str, list[SearchResult]] = {name: [] for name in ways}
    for seed in SEEDS:
        for name, task in ways.items():
            found[name].append(search(replace(task, seed=seed), keep=1))
    print(f"CIFAR, 1M parameters, {len(SEEDS)} seeds: median evaluations and seconds until a score")
    print(f"{'':10}" + "".join(f"{goal:>18}" for goal in GOALS) + f"{'found (least)':>22}")
    for name, results in found.items():
        cells = [reached(results, goal) for goal in GOALS]
        best = sorted(result.best[0].score for result in results)
        print(
            f"{name:10}" + "".join(f"{cell:>18}" for cell in cells) + f"{median(best):>14.2f} ({best[0]:.2f})"
        )


def reached(results: Sequence[SearchResult], goal: float) -> str:
    """Median evaluations and seconds until a score, where most seeds get there."""
    evaluations, seconds = [], []
    for result in results:
        at = next((evaluated for evaluated, score in result.history if score >= goal), None)
        if at is not None:
            evaluations.append(at)
            seconds.append(at * result.seconds / result.evaluated)
    if len(evaluations) <= len(results) / 2:
        return f"{len(evaluations)} of {len(results)}"
    return f"{median(evaluations):,.0f}, {median(seconds):.1f} s"


def quality() -> None:
    from zenbench.zen.proxies.zen_score import zen_score

    print("network, seed: closed form, forward passes (16 repeats) +- standard error, what it costs")
    for name, task in PUBLISHED.items():
        published = zoo(name)
        forward = zen_score(published.graph(), repeats=16)
        print(f"{name}: {zen_closed(published):.2f}, {written(forward)}", flush=True)
        values = []
        for seed in SEEDS:
            best = search(replace(task, seed=seed), keep=1).best[0]
            score = zen_score(best.network.graph(), repeats=16)
            values.append(score.value)
            print(
                f"    {seed}: {best.score:.2f}, {written(score)}, "
                f"{best.cost.params:,} parameters, {best.cost.macs:,} MACs, {best.cost.layers} layers",
                flush=True,
            )
        values.sort()
        print(
            f"    median {median(values):.2f}, least {values[0]:.2f}, second {values[1]:.2f}; "
            f"above the published one: {sum(value > forward.value for value in values)} of {len(values)}",
            flush=True,
        )


def written(score: Score) -> str:
    return f"{score.value:.2f} +- {score.sem or 0:.2f}"


def front(table: Path) -> None:
    import front

    for axis in ("params", "macs", str(table)):
        front.main([axis])


def two_workers() -> None:
    import workers

    workers.compare(EVALUATIONS)


def main(arguments: Sequence[str]) -> None:
    table = Path(arguments[0])
    parts: dict[str, Callable[[], None]] = {
        "speed": lambda: speed(table),
        "scores": scores,
        "quality": quality,
        "front": lambda: front(table),
        "workers": two_workers,
    }
    for part in arguments[1:] or parts:
        print(f"--- {part}", flush=True)
        parts[part]()


if __name__ == "__main__":
    main(sys.argv[1:])
