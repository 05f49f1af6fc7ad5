"""How fast the parts of a search are: `OMP_NUM_THREADS=1 python benchmarks/speed.py TABLE`.

TABLE is a table's .csv, as `zenbench profile` writes it. Prints one line a figure: median of 5 repeats.
"""

import sys
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter

from zenbench.bench.planning import random_networks, stratified_workloads
from zenbench.latency_tables.features import workload_features
from zenbench.latency_tables.model import TableModel
from zenbench.latency_tables.table import LatencyTable
from zenbench.zen.budget import Budget, LatencyLimit
from zenbench.zen.proxies.closed_form import unit_transfer, zen_closed
from zenbench.zen.search import search
from zenbench.zen.space import spaces
from zenbench.zen.task import Task

REPEATS = 5


def each_us(work: Callable[[], object], count: int, fresh: Callable[[], object] = lambda: None) -> float:
    """Median microseconds an item of a piece of work on `count` items, made fresh before each repeat."""
    seconds = []
    for _ in range(REPEATS):
        fresh()
        started = perf_counter()
        work()
        seconds.append(perf_counter() - started)
    return median(seconds) / count * 1e6


def main(arguments: Sequence[str]) -> None:
    table = LatencyTable.load(Path(arguments[0]))
    started = perf_counter()
    model = TableModel(table)
    print(
        f"fit of {len(table.rows)} rows and {len(table.networks)} networks: {perf_counter() - started:.2f} s"
    )
    stream = stratified_workloads(list(spaces().values()), [224], 99)
    unseen = [workload for workload in islice(stream, 500) if workload not in table.rows]
    fill_in = model.fill_in
    if fill_in is not None:
        us = each_us(lambda: [fill_in.predict(w) for w in unseen], len(unseen), workload_features.cache_clear)
        print(f"fill-in of a workload never seen: {us:.1f} us")
    networks = list(islice(random_networks(list(spaces().values()), [224], 99), 100))
    us = each_us(lambda: [zen_closed(n) for n in networks], len(networks), unit_transfer.cache_clear)
    print(f"closed form of a network never seen: {us:.0f} us; again: ", end="")
    print(f"{each_us(lambda: [zen_closed(n) for n in networks], len(networks)):.1f} us")
    us = each_us(lambda: [model.estimate(n) for n in networks], len(networks))
    print(f"estimate of a network whose blocks are known: {us:.1f} us")
    for name, budget in (
        ("layers", Budget(layers=12)),
        ("layers, params and MACs", Budget(layers=12, params=10**7, macs=10**9)),
        ("all of them and latency", Budget(10**9, 10**7, 12, latencies=(LatencyLimit(10.0, model),))),
    ):
        result = search(Task(spaces()["resnet"], 224, 1000, budget, evaluations=20_000))
        proposals = result.evaluated + sum(result.rejected.values())
        print(
            f"search under {name}: {result.evaluated / result.seconds:,.0f} candidates/s, "
            f"{proposals / result.seconds:,.0f} proposals/s"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
