"""How well the candidate rules order the trained networks: `python benchmarks/trained/judge.py [HALF]`.

Reads trained.csv. For each rule, Spearman's rank correlation with the accuracy on held-out images within
each budget, and the mean over the budgets; with a half, `choose` or `judge`, among its networks alone. The
interval is that of 2,000 bootstrap samples of the networks.
"""

import csv
import sys
from collections.abc import Sequence

import numpy as np
from networks import FOLDER, network_of
from rules import RULES
from scipy.stats import spearmanr

SAMPLES = 2000
LEAST = 6
"""Networks of a budget below which no correlation is given."""


def trained(half: str | None) -> dict[str, list[dict[str, str]]]:
    """The rows of the stage `networks`, by budget."""
    found: dict[str, list[dict[str, str]]] = {}
    with (FOLDER / "trained.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["stage"] == "networks" and half in (None, row["half"]):
                found.setdefault(row["budget"], []).append(row)
    return {budget: rows for budget, rows in found.items() if len(rows) >= LEAST}


def correlation(scores: Sequence[float], accuracies: Sequence[float]) -> float:
    value = float(spearmanr(scores, accuracies).statistic)
    return 0.0 if np.isnan(value) else value


def interval(scores: np.ndarray, accuracies: np.ndarray) -> tuple[float, float]:
    random = np.random.default_rng(0)
    draws = random.integers(0, len(scores), (SAMPLES, len(scores)))
    values = [correlation(scores[draw], accuracies[draw]) for draw in draws if len(set(scores[draw])) > 1]
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def main(half: str | None = None) -> None:
    budgets = trained(half)
    for budget, rows in budgets.items():
        print(
            f"{budget}: {len(rows)} networks, {min(float(row['held_out']) for row in rows):.1%} to "
            f"{max(float(row['held_out']) for row in rows):.1%}"
        )
    table = []
    for name, rule in RULES.items():
        found, cells = [], []
        for rows in budgets.values():
            scores = np.array([rule(network_of(row["network"])) for row in rows])
            accuracies = np.array([float(row["held_out"]) for row in rows])
            found.append(correlation(scores, accuracies))
            low, high = interval(scores, accuracies)
            cells.append(f"{found[-1]:6.2f} ({low:5.2f} to {high:5.2f})")
        table.append((float(np.mean(found)) if found else 0.0, name, cells))
    for mean, name, cells in sorted(table, key=lambda row: -row[0]):
        print(f"{name:34}{mean:6.2f}  {'  '.join(cells)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
