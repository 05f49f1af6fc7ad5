"""How near the closed form is to forward passes: `python benchmarks/closed_form.py FILE`.

Draws seeded networks of both spaces (random ones at 32, 64 and 224 pixels, and near-optimal ones: within
3 % of the best that ten searches found under one budget), scores each by forward passes, appends a line a
network to FILE (a .csv; run again, it goes on where it stopped), and prints how well the closed form
agrees. With one core the forward passes take about two hours.
"""

import csv
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, stdev

from scipy.stats import kendalltau
from zenbench.zen.budget import Budget
from zenbench.zen.cost import cost
from zenbench.zen.network import Network, parse_text
from zenbench.zen.proxies.base import READINGS
from zenbench.zen.proxies.closed_form import zen_closed
from zenbench.zen.proxies.zen_score import zen_samples
from zenbench.zen.search import search
from zenbench.zen.space import SPACES, random_network

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
        for name, space in SPACES.items():
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
            SPACES[name], resolution, classes, budget, evaluations=30_000, seed=seed, keep=256
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
    rows = read(path)
    for reading in READINGS:
        noise = random.Random(0)
        noise = random.Random(0)
        for name in sorted({row["set"] for row in rows}):
            chosen = [row for row in rows if row["set"] == name]
            networks = [parse_text(row["structure"], int(row["resolution"])) for row in chosen]
            closed = [zen_closed(network, reading) for network in networks]
            forward = [float(row[f"{reading}_mean"]) for row in chosen]
            errors = [100 * (c / f - 1) for c, f in zip(closed, forward, strict=True)]
            tau = kendalltau(closed, forward).statistic
            again = [
                f + noise.gauss(0, float(row[f"{reading}_std"]) / REPEATS**0.5)
                for f, row in zip(forward, chosen, strict=True)
            ]
            ceiling = kendalltau(again, forward).statistic
            again = [
                f + noise.gauss(0, float(row[f"{reading}_std"]) / REPEATS**0.5)
                for f, row in zip(forward, chosen, strict=True)
            ]
            ceiling = kendalltau(again, forward).statistic
            print(
                f"{reading:8}{name:25}{len(chosen):4}  error {min(errors):+.2f} to {max(errors):+.2f} %, "
                f"mean {fmean(errors):+.2f} %  tau {tau:.4f} (repeated passes: {ceiling:.4f})"
            )


if __name__ == "__main__":
    measure(Path(sys.argv[1]))
    report(Path(sys.argv[1]))
