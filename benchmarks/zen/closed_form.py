"""How near the closed form is to forward passes, and how fast.

    python benchmarks/zen/closed_form.py            holds it against tests/data/closed_form_networks.csv
    python benchmarks/zen/closed_form.py measure    first makes that file, or goes on where it stopped
    python benchmarks/zen/closed_form.py near       ranks the near-optimal ones by 128 repeats (20 minutes)

Seeded networks of both spaces: random ones at 32, 64 and 224 pixels, and near-optimal ones, within 3 % of
the best that ten searches found under one budget. Forward passes of all take half an hour on one core.
"""

import csv
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, stdev
from timeit import timeit

from scipy.stats import kendalltau
from zenbench.zen.blocks import Block
from zenbench.zen.cost import cost
from zenbench.zen.families import zoo
from zenbench.zen.network import Network, parse_text
from zenbench.zen.proxies.base import READINGS, Reading
from zenbench.zen.proxies.chain import chain_of
from zenbench.zen.proxies.closed_form import (
    layer_transfers,
    log_delta,
    score_at,
    through,
    unit_transfer,
    zen_closed,
)
from zenbench.zen.proxies.zen_score import zen_samples
from zenbench.zen.random_networks import random_network
from zenbench.zen.search.budget import Budget
from zenbench.zen.search.evaluator import Evaluator
from zenbench.zen.search.run import search
from zenbench.zen.search.task import SearchTask
from zenbench.zen.space import spaces

FILE = Path(__file__).parents[2] / "tests" / "data" / "closed_form_networks.csv"
REPEATS, BATCH = 16, 16
RANDOM_EACH = 34
RESOLUTIONS = (32, 64, 224)
MOST_MACS = 600e6
"""Larger random networks are drawn again: forward passes would take minutes each."""
NEAR_OPTIMAL = 60
SHARE_OF_BEST = 0.97
COLUMNS = (
    "set",
    "resolution",
    "structure",
    "repeats",
    *(f"{r}_{s}" for r in READINGS for s in ("mean", "std")),
)
COLUMNS += ("log_delta_mean", "log_delta_std")


def drawn() -> Iterator[tuple[str, Network]]:
    """Every network with the name of its set, always the same ones in the same order."""
    yield from near_optimal("resnet", 32, 100, Budget(params=1_000_000, layers=18))
    yield from near_optimal("mobilenet", 64, 1000, Budget(macs=30_000_000, layers=18))
    for index in range(RANDOM_EACH):
        for name, space in spaces().items():
            for resolution in RESOLUTIONS:
                rng = random.Random(f"{name} {resolution} {index}")
                while cost(network := random_network(space, resolution, 1000, rng)).macs > MOST_MACS:
                    pass
                yield f"random-{name}", network


def near_optimal(name: str, resolution: int, classes: int, budget: Budget) -> Iterator[tuple[str, Network]]:
    found = [
        candidate
        for seed in range(10)
        for candidate in search(
            SearchTask(spaces()[name], resolution, classes, budget, evaluations=30_000, seed=seed), keep=256
        ).best
    ]
    best = max(candidate.score for candidate in found)
    near = sorted(
        {c.network.text: c for c in found if c.score >= SHARE_OF_BEST * best}.values(), key=lambda c: c.score
    )
    step = (len(near) - 1) / (NEAR_OPTIMAL - 1)
    for index in range(NEAR_OPTIMAL):
        yield f"near-optimal-{name}", near[round(index * step)].network


def measure(path: Path) -> None:
    done = {(row["structure"], row["resolution"]) for row in read(path)} if path.exists() else set()
    with path.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if not done:
            writer.writerow(COLUMNS)
        for name, network in drawn():
            if (network.text, str(network.resolution)) in done:
                continue
            samples = zen_samples(network.graph(), BATCH, REPEATS)
            figures = [
                f"{statistic(values):.5f}"
                for values in (samples.paper, samples.running, samples.log_delta)
                for statistic in (fmean, stdev)
            ]
            writer.writerow((name, network.resolution, network.text, REPEATS, *figures))
            file.flush()


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def report(path: Path) -> None:
    """One line a set and reading: errors in per cent, of log Delta and of the sum in units of the score, and
    Kendall's tau beside that of passes repeated as often as these."""
    rows, noise = read(path), random.Random(0)
    for reading in READINGS:
        for name in sorted({row["set"] for row in rows}):
            chosen = [row for row in rows if row["set"] == name]
            parts = [closed_parts(row, reading) for row in chosen]
            closed = [log_delta + total for log_delta, total in parts]
            forward = [float(row[f"{reading}_mean"]) for row in chosen]
            deltas = [float(row["log_delta_mean"]) for row in chosen]
            errors = [float(row[f"{reading}_std"]) / REPEATS**0.5 for row in chosen]
            repeated = fmean(
                kendalltau(
                    [noise.gauss(f, e) for f, e in zip(forward, errors, strict=True)], forward
                ).statistic
                for _ in range(50)
            )
            print(
                f"{reading:8}{name:25}{len(chosen):4}"
                f"  error {span([100 * (c / f - 1) for c, f in zip(closed, forward, strict=True)])} %"
                f"  log Delta {span([p[0] - d for p, d in zip(parts, deltas, strict=True)])}"
                f"  sum {span([p[1] - (f - d) for p, f, d in zip(parts, forward, deltas, strict=True)])}"
                f"  tau {kendalltau(closed, forward).statistic:.4f}"
                f" (repeated passes {repeated:.4f})"
            )


def near(path: Path, repeats: int = 128) -> None:
    """Kendall's tau on near-optimal networks against so many repeats of other seeds, and of those of the
    file against them: what less noise shows."""
    rows = [row for row in read(path) if row["set"].startswith("near-optimal")]
    for name in sorted({row["set"] for row in rows}):
        chosen = [row for row in rows if row["set"] == name]
        networks = [parse_text(row["structure"], int(row["resolution"])) for row in chosen]
        truth = [fmean(zen_samples(n.graph(), BATCH, repeats, seed=1).paper) for n in networks]
        closed = kendalltau([zen_closed(n) for n in networks], truth).statistic
        passes = kendalltau([float(row["paper_mean"]) for row in chosen], truth).statistic
        print(
            f"{name:25}against {repeats} repeats: tau {closed:.4f}; of {REPEATS} repeats {passes:.4f}",
            flush=True,
        )


def closed_parts(row: dict[str, str], reading: Reading) -> tuple[float, float]:
    """log Delta and the sum over batch norms, in closed form."""
    network = parse_text(row["structure"], int(row["resolution"]))
    chain = chain_of(network.graph())
    state = through(layer_transfers(chain, reading))
    delta = log_delta(state, chain.values, chain.last_slope)
    return delta, score_at(state, chain.values, chain.last_slope) - delta


def span(values: Sequence[float]) -> str:
    return f"{min(values):+.2f} to {max(values):+.2f}"


def times() -> None:
    """Microseconds of one score of ZenNet-CIFAR-1M, 98 convolutions: median of 7 runs of 200."""
    network = zoo("zennet-cifar-1m")
    evaluator = Evaluator(network.resolution, network.classes, Budget(), "paper")
    genome = evaluator.genome([block for block in network.blocks if isinstance(block, Block)])

    def by_block() -> float:
        return evaluator.score(genome)

    def unseen() -> float:
        unit_transfer.cache_clear()
        return zen_closed(network)

    for what, work in (
        ("from the parsed network, its units known", lambda: zen_closed(network)),
        ("from blocks that a search keeps", by_block),
        ("from units never seen", unseen),
    ):
        seconds = sorted(timeit(work, number=200) / 200 for _ in range(7))[3]
        print(f"{what:42}{1e6 * seconds:8.1f} us")
    print(f"blocks against units: {by_block() - zen_closed(network):.1e}")


if __name__ == "__main__":
    if sys.argv[1:] == ["measure"]:
        measure(FILE)
    if sys.argv[1:] == ["near"]:
        near(FILE)
    else:
        report(FILE)
        times()
