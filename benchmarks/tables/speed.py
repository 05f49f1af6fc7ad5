"""How fast a score and a prediction are: `OMP_NUM_THREADS=1 python benchmarks/tables/speed.py TABLE`.

TABLE is a table's .csv, as `zenbench profile` writes it. Prints one line a figure: median of 5
repeats, and the first time where that is another.
"""

import sys
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter

from zenbench.bench.profiling.plan import random_networks, sources, stratified_workloads
from zenbench.latency_tables.predictor import predictor
from zenbench.latency_tables.table import LatencyTable
from zenbench.zen.proxies.closed_form import zen_closed
from zenbench.zen.space import spaces

REPEATS = 5


def each_us(work: Callable[[], object], count: int, repeats: int = REPEATS) -> float:
    """Median microseconds an item of a piece of work on `count` items."""
    seconds = []
    for _ in range(repeats):
        started = perf_counter()
        work()
        seconds.append(perf_counter() - started)
    return median(seconds) / count * 1e6


def main(arguments: Sequence[str]) -> None:
    table = LatencyTable.load(Path(arguments[0]))
    started = perf_counter()
    model = predictor(table)
    print(
        f"opening {len(table.rows)} rows and {len(table.networks)} networks: {perf_counter() - started:.2f} s"
    )
    stream = stratified_workloads(sources(), [224], 99)
    unseen = [workload for workload in islice(stream, 500) if workload not in table.rows]
    us = each_us(lambda: [model.block(workload) for workload in unseen], len(unseen), 1)
    print(f"prediction of a workload never seen: {us:.1f} us")
    networks = list(islice(random_networks(sources(*spaces().values()), [224], 99), 100))
    us = each_us(lambda: [zen_closed(n) for n in networks], len(networks), 1)
    print(f"closed form of a network never seen: {us:.0f} us; again: ", end="")
    print(f"{each_us(lambda: [zen_closed(n) for n in networks], len(networks)):.1f} us")
    us = each_us(lambda: [model.estimate(n) for n in networks], len(networks))
    print(f"estimate of a network whose blocks are known: {us:.1f} us")


if __name__ == "__main__":
    main(sys.argv[1:])
