"""How often the intervals and the verdicts of `zenbench compare` are right, on data drawn with known truth.

`python benchmarks/comparing.py [--trials 300]` prints Markdown tables: coverage of 95 % intervals of a mean
absolute error, ours beside two other bootstraps, and what a run against a run is called.
"""

import argparse
import math
import random
from collections.abc import Callable, Sequence
from statistics import fmean, median

import numpy as np
from scipy.stats import bootstrap
from zenbench.bench.comparing.intervals import Interval, mean_interval
from zenbench.bench.comparing.runs import compare_runs
from zenbench.bench.latency_files.latency_rows import LatencyRow

ROUNDS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=300)
    trials = parser.parse_args().trials
    print("| networks | errors | studentised (ours) | percentiles | BCa |\n|---|---|---|---|---|")
    for count in (10, 20, 50):
        print_coverage(count, "normal", lambda n: float(n.normal()), math.sqrt(2 / math.pi), trials)
        print_coverage(
            count, "t, 3 d.f.", lambda n: float(n.standard_t(3)), 2 * math.sqrt(3) / math.pi, trials
        )
    print(
        "\n| networks | noise of a round | equal runs called different | 5 % slower found | "
        "any network of equal runs called beyond noise |\n|---|---|---|---|---|"
    )
    for count in (3, 5, 6, 8, 20):
        for noise in (0.02, 0.08):
            print_verdicts(count, noise, trials)


def print_coverage(
    count: int, name: str, draw: Callable[[np.random.Generator], float], truth: float, trials: int
) -> None:
    """One row: how often each interval holds the mean of |errors|."""
    numbers = np.random.default_rng(count)
    held = np.zeros(3)
    for _ in range(trials):
        values = [abs(draw(numbers)) for _ in range(count)]
        others = (
            bootstrap((values,), np.mean, n_resamples=1000, method=method, random_state=0).confidence_interval
            for method in ("percentile", "BCa")
        )
        intervals = [mean_interval(values), *(Interval(one.low, one.high) for one in others)]
        held += [one is not None and one.low <= truth <= one.high for one in intervals]
    print(f"| {count} | {name} | {' | '.join(f'{share:.0%}' for share in held / trials)} |")


def print_verdicts(count: int, noise: float, trials: int) -> None:
    """One row: what equal runs, and a run 5 % slower, are called."""
    numbers = random.Random(count)
    alarms, found, single = [], [], []
    for _ in range(trials):
        truths = [numbers.uniform(1, 50) for _ in range(count)]
        before = measured(numbers, truths, noise)
        equal = compare_runs(before, measured(numbers, truths, noise))
        slower = compare_runs(before, measured(numbers, [1.05 * truth for truth in truths], noise))
        alarms.append(equal.significant)
        single.append(equal.slower + equal.faster > 0)
        found.append(slower.significant and slower.change > 0)
    shares = " | ".join(f"{fmean(flags):.0%}" for flags in (alarms, found, single))
    print(f"| {count} | {noise:.0%} | {shares} |")


def measured(numbers: random.Random, truths: Sequence[float], noise: float) -> list[LatencyRow]:
    """Rows as `zenbench measure` makes them: medians of rounds, deviations by quartiles."""
    rows = []
    for index, truth in enumerate(truths):
        rounds = [truth * (1 + numbers.gauss(0, noise)) for _ in range(ROUNDS)]
        low, high = np.quantile(rounds, (0.25, 0.75))
        std_ms = 1.253 * 0.741 * float(high - low) / math.sqrt(ROUNDS)
        names = (f"n{index}", f"d{index}", "host", "s")
        rows.append(LatencyRow(*names, latency_ms=median(rounds), std_ms=std_ms, rounds=ROUNDS))
    return rows


if __name__ == "__main__":
    main()
