"""How many workloads it takes: chosen by expected gain, as `zenbench profile` does, against drawn at random.

OMP_NUM_THREADS=1 python benchmarks/tables/active.py TABLE [--seeds 3] [--networks 60]

TABLE is a table's .csv with some hundreds of rows and whole networks, as `make accuracy` leaves. Nothing is
measured: both ways are replayed on its rows, from the same first ones, calibrated on the same networks.
Errors are those of the hold-out networks of the table (half of its networks where there are none) and of the
rows that a way has not taken.
"""

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from math import ceil
from pathlib import Path
from statistics import fmean

from zenbench.bench.cli.profile import RESOLUTIONS
from zenbench.bench.profiling.plan import DRAWN_EVERY, GROWTH, LEAST_KNOWN, random_networks, sources
from zenbench.latency_tables.measured.fill_in import FillIn
from zenbench.latency_tables.measured.model import TableModel
from zenbench.latency_tables.measured.next_workloads import most_informative
from zenbench.latency_tables.table import LatencyTable
from zenbench.zen.space import spaces
from zenbench.zen.workload import Workload

SIZES = (48, 96, 192, 384, 768)
Way = Callable[[LatencyTable, list[Workload], int, int], list[Workload]]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--networks", type=int, default=60, help="whose predictions are to gain")
    options = parser.parse_args(arguments)
    table = with_hold_out(LatencyTable.load(options.table))
    sizes = [size for size in SIZES if size <= 0.8 * len(table.rows)]
    print(
        f"{len(table.rows)} workloads, {len(table.networks)} networks to calibrate on, "
        f"{len(table.hold_out)} to judge by"
    )
    print("\n| workloads | networks: drawn | chosen | workloads: drawn | chosen |\n|---|---|---|---|---|")
    for size in sizes:
        cells = []
        found = [
            [errors(table, way, size, seed, options.networks) for seed in range(options.seeds)]
            for way in (drawn, chosen)
        ]
        for place in (0, 1):
            cells += [f"{fmean(pair[place] for pair in pairs):.1%}" for pairs in found]
        print(f"| {size} | {' | '.join(cells)} |", flush=True)


def with_hold_out(table: LatencyTable) -> LatencyTable:
    if table.hold_out:
        return table
    networks = list(table.networks.items())
    half = len(networks) // 2
    return replace(table, networks=dict(networks[:half]), hold_out=dict(networks[half:]))


def errors(table: LatencyTable, way: Way, size: int, seed: int, networks: int) -> tuple[float, float]:
    """Mean absolute relative error of the hold-out networks, and of the rows left over."""
    order = list(table.rows)
    random.Random(seed).shuffle(order)
    taken = way(table, order, size, networks)
    model = TableModel(replace(table, rows={workload: table.rows[workload] for workload in taken}))
    left = table.rows.keys() - set(taken)
    return (
        fmean(abs(model.estimate(n).ms / row.latency_ms - 1) for n, row in table.hold_out.items()),
        fmean(abs(model.block(w).ms / table.rows[w].latency_ms - 1) for w in left),
    )


def drawn(table: LatencyTable, order: list[Workload], size: int, networks: int) -> list[Workload]:
    return order[:size]


def chosen(table: LatencyTable, order: list[Workload], size: int, networks: int) -> list[Workload]:
    wholes = [
        network.workloads()
        for network in islice(random_networks(sources(*spaces().values()), RESOLUTIONS, 1000), networks)
    ]
    known, left = order[:LEAST_KNOWN], order[LEAST_KNOWN:]
    while len(known) < size:
        lap = min(ceil(GROWTH * len(known)), size - len(known))
        fill_in = FillIn(known, [table.rows[workload].latency_ms for workload in known])
        best = set(most_informative(fill_in, known, left, wholes, lap - lap // DRAWN_EVERY))
        rest = [workload for workload in left if workload not in best]
        known = [*known, *(workload for workload in left if workload in best), *rest[: lap // DRAWN_EVERY]]
        left = rest[lap // DRAWN_EVERY :]
    return known


if __name__ == "__main__":
    main()
