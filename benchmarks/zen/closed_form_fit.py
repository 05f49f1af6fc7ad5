"""The three constants of the closed form, fitted: `python benchmarks/zen/closed_form_fit.py`.

Measures, layer by layer, the share of the squared mean that heavy tails leave (see docs/closed_form.md) in
seeded networks that benchmarks/zen/closed_form.py does not test by, and finds the constants whose state
follows it best. Takes about ten minutes on one core.
"""

import random
from collections.abc import Iterator
from math import exp, log
from statistics import fmean

import numpy as np
from closed_form_figure import carried_shares, measured_shares
from scipy.optimize import least_squares
from zenbench.zen.cost import cost
from zenbench.zen.graph import Graph
from zenbench.zen.network import Network
from zenbench.zen.proxies import closed_form
from zenbench.zen.random_networks import random_network
from zenbench.zen.search.budget import Budget
from zenbench.zen.search.run import search
from zenbench.zen.search.task import SearchTask
from zenbench.zen.space import spaces

REPEATS = 6
RANDOM_EACH = 14
MOST_MACS = 120e6
BUDGETS = (
    (32, 100, Budget(params=1_000_000, layers=18)),
    (64, 1000, Budget(macs=60_000_000, layers=24)),
    (32, 10, Budget(params=300_000, layers=30)),
)


def drawn() -> Iterator[Graph]:
    for name, space in spaces().items():
        for resolution, classes, budget in BUDGETS:
            best = search(
                SearchTask(space, resolution, classes, budget, evaluations=15_000, seed=100), keep=2
            ).best
            yield from (candidate.network.graph() for candidate in best)
        for resolution in (32, 64):
            for index in range(RANDOM_EACH):
                rng = random.Random(f"fit {name} {resolution} {index}")
                network: Network | None = None
                while network is None or cost(network).macs > MOST_MACS:
                    network = random_network(space, resolution, 1000, rng)
                yield network.graph()


def main() -> None:
    graphs, shares = [], []
    for graph in drawn():
        runs = [measured_shares(graph, seed) for seed in range(REPEATS)]
        graphs.append(graph)
        shares.append(np.array([fmean(values) for values in zip(*runs, strict=True)]))

    def residuals(guess: np.ndarray) -> np.ndarray:
        closed_form.SEED, closed_form.GROWTH, closed_form.DILUTION = exp(guess[0]), guess[1], guess[2]
        return np.concatenate(
            [
                # Every network counts alike, however deep.
                (carried_shares(graph) - measured) / len(measured) ** 0.5
                for graph, measured in zip(graphs, shares, strict=True)
            ]
        )

    found = least_squares(residuals, (log(1e-4), 0.5, 0.5), x_scale=0.1, max_nfev=60)
    error = (np.square(found.fun).sum() / len(graphs)) ** 0.5
    print(f"{len(graphs)} networks, {sum(map(len, shares))} layers, root mean square error {error:.3f}")
    print(f"SEED {exp(found.x[0]):.2g}, GROWTH {found.x[1]:.3f}, DILUTION {found.x[2]:.3f}")


if __name__ == "__main__":
    main()
