"""How far to trust short profiles: errors on unseen networks, and how many lie within the stated deviations.

OMP_NUM_THREADS=1 python benchmarks/tables/coverage.py [--times 60s,180s] [--profiles 5] [--out runs/coverage]

For each runtime of this computer (one thread) and each time: so many profiles, each of a seed of its own,
with 20 unseen networks beside it: 10 drawn from the zoo (below 4.2 G MACs) and 10 random ones, five a space.
They are measured in windows of their own between the profile's, each loaded four times, and nothing learns
from them. Intervals are by resampling profiles. Run again, it goes on where it stopped; --show measures
nothing and says what the code as it is predicts from the journals that are there.
"""

import argparse
import random
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
from hold_out import profile_beside
from zenbench.bench.cli.profile import RESOLUTIONS
from zenbench.bench.measuring.journal import journal_path, read
from zenbench.bench.profiling.plan import random_networks, sources
from zenbench.bench.tables.from_journal import build_table
from zenbench.latency_tables.measured.model import TableModel
from zenbench.zen.cost import cost
from zenbench.zen.families import zoo, zoo_names
from zenbench.zen.network import Network
from zenbench.zen.space import spaces

UNSEEN = 20
MOST_MACS = 4.2e9
RUNTIMES = ("onnxruntime", "litert")
RESAMPLES = 10_000


class Judged(NamedTuple):
    """A profile on its unseen networks: relative errors, and the same in stated standard deviations."""

    workloads: int
    calibrating: int
    errors: tuple[float, ...]
    in_deviations: tuple[float, ...]

    @property
    def mape(self) -> float:
        return fmean(map(abs, self.errors))

    def within(self, deviations: int) -> float:
        return fmean(abs(size) <= deviations for size in self.in_deviations)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", default="60s,180s")
    parser.add_argument("--profiles", type=int, default=5, help="of each time and runtime")
    parser.add_argument("--out", type=Path, default=Path("runs/coverage"))
    parser.add_argument("--show", action="store_true", help="measure nothing")
    options = parser.parse_args(arguments)
    places = [
        (runtime, time, seed)
        for seed in range(options.profiles)
        for time in options.times.split(",")
        for runtime in RUNTIMES
    ]
    found: dict[tuple[str, str], list[Judged]] = {}
    for runtime, time, seed in places:
        folder = options.out / f"{runtime}-{time}-{seed}"
        path = folder / "table.csv"
        if not options.show and not (folder / "done").exists():
            profile_beside(path, runtime, time, seed, unseen(seed))
            (folder / "done").touch()
        if (folder / "done").exists():
            found.setdefault((runtime, time), []).append(judge(path))
    show(found)


def unseen(seed: int) -> list[Network]:
    """Networks of the zoo, each in another draw of it, and random ones."""
    rng = random.Random(seed)
    small = [network for network in map(zoo, zoo_names()) if cost(network).macs <= MOST_MACS]
    drawn = islice(random_networks(sources(*spaces().values()), RESOLUTIONS, 9000 + seed), UNSEEN // 2)
    return [*rng.sample(small, UNSEEN // 2), *drawn]


def judge(path: Path) -> Judged:
    table = build_table(read(journal_path(path)))
    model = TableModel(table)
    errors, in_deviations = [], []
    for network, row in table.hold_out.items():
        estimate = model.estimate(network)
        errors.append(estimate.ms / row.latency_ms - 1)
        in_deviations.append((estimate.ms - row.latency_ms) / estimate.std_ms)
    return Judged(len(table.rows), len(table.networks), tuple(errors), tuple(in_deviations))


def show(found: dict[tuple[str, str], list[Judged]]) -> None:
    print("\n| profile | workloads | networks | MAPE | worst network | within 1 | within 2 deviations |")
    print("|---|---|---|---|---|---|---|")
    for (runtime, time), profiles in found.items():
        for number, one in enumerate(profiles):
            print(
                f"| {runtime} {time} {number} | {one.workloads} | {one.calibrating} | {one.mape:.1%} | "
                f"{max(one.errors, key=abs):+.0%} | {one.within(1):.0%} | {one.within(2):.0%} |"
            )
    print("\n| pooled | profiles | MAPE | worst profile | within 1 | within 2 deviations |")
    print("|---|---|---|---|---|---|")
    pools = [(f"{runtime} {time}", profiles) for (runtime, time), profiles in found.items()]
    pools.append(("all", [one for _, profiles in pools for one in profiles]))
    for name, profiles in pools:
        shares = " | ".join(interval([one.within(count) for one in profiles]) for count in (1, 2))
        mapes = [one.mape for one in profiles]
        print(f"| {name} | {len(profiles)} | {interval(mapes)} | {max(mapes):.1%} | {shares} |")


def interval(values: Sequence[float]) -> str:
    """The mean of profiles, and the middle 95 % of the means of profiles drawn from them again."""
    draws = np.random.default_rng(0).choice(values, (RESAMPLES, len(values))).mean(1)
    low, high = np.quantile(draws, (0.025, 0.975))
    return f"{fmean(values):.1%} ({low:.1%} to {high:.1%})"


if __name__ == "__main__":
    main()
