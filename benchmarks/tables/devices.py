"""`zenbench fit` on every device that NAS-Bench-201 was measured on, beside scikit-learn's regressors.

`python benchmarks/tables/devices.py [--seeds 5] [--known 100] [FILE ...]`: each latency column of the files
(by default those of tests/data) is fitted to some cells and predicted for all others. The baselines are
scikit-learn's defaults on the count of each operation and the MACs. Mean of the draws; about half a minute.
"""

import argparse
import csv
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
from scipy.stats import spearmanr
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LinearRegression
from zenbench.devices.base import Setting
from zenbench.errors import NetworkError
from zenbench.latency_tables.card import TableCard
from zenbench.latency_tables.fitted.features import readings_of
from zenbench.latency_tables.fitted.fit import fit_networks
from zenbench.latency_tables.fitted.model import FittedTable
from zenbench.latency_tables.op_features import Vector
from zenbench.latency_tables.table import LatencyTable
from zenbench.zen.cost import graph_cost
from zenbench.zen.families.nas_bench_201 import cell_network, cell_ops
from zenbench.zen.network import Network
from zenbench.zen.units.cell import CELL_OPS

DATA = Path(__file__).parents[2] / "tests" / "data"
FILES = tuple(DATA / f"nasbench201_{name}.csv" for name in ("latency", "more_devices", "edge_devices"))
SPACE = "nasbench201"
BASELINES: dict[str, Callable[[], object]] = {
    "line": LinearRegression,
    "boosting": lambda: GradientBoostingRegressor(random_state=0),
    "process": GaussianProcessRegressor,
}
BAR, NEVER = 0.1, 0.5
"""Points of mean error over the best baseline: on nine columns in ten, and on none."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, default=FILES)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--known", type=int, default=100)
    asked = parser.parse_args()
    warnings.filterwarnings("ignore", module="sklearn")
    print(f"{'mean error, within 10 %, Spearman':36}{'zenbench':>20}", end="")
    print(
        "".join(f"{name:>20}" for name in BASELINES),
        f"{'over best':>10}  left out, within 1 / 2 deviations, readings",
    )
    excess = []
    for path in asked.files:
        for column, networks, truths in columns(path):
            excess.append(100 * device(column, networks, truths, asked.seeds, asked.known))
    within = sum(one <= BAR for one in excess)
    print(f"{within} of {len(excess)} columns within {BAR} points of the best; the worst {max(excess):+.2f}")


def columns(path: Path) -> Sequence[tuple[str, list[Network], Vector]]:
    """Name, networks and latencies in ms of each latency column; cells that pass nothing on are left out,
    and of those that become one network all but the first."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    networks: dict[str, tuple[Network, dict[str, str]]] = {}
    for row in rows:
        try:
            network = cell_network(row["arch"])
        except NetworkError:
            continue
        networks.setdefault(network.digest, (network, row))
    kept = [network for network, _ in networks.values()]
    names = [name for name in rows[0] if name.endswith("_ms")]
    return [(name, kept, np.array([float(row[name]) for _, row in networks.values()])) for name in names]


def device(name: str, networks: Sequence[Network], truths: Vector, seeds: int, known: int) -> float:
    """Prints a line; returns the mean error over that of the best baseline."""
    given = np.array([counts(network) for network in networks])
    found: dict[str, list[tuple[float, float, float]]] = {}
    said, readings, within = [], [], []
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(truths))
        learned, others = order[:known], order[known:]
        table = fitted([networks[index] for index in learned], truths[learned])
        estimates = [table.estimate(networks[index]) for index in others]
        ours = np.array([one.ms for one in estimates])
        sizes = np.abs(ours - truths[others]) / np.array([one.std_ms for one in estimates])
        within.append([np.mean(sizes <= deviations) for deviations in (1, 2)])
        found.setdefault("zenbench", []).append(figures(ours, truths[others]))
        said.append(table.record.error.mean)
        readings.append(table.record.reading)
        for baseline, made in BASELINES.items():
            model = made().fit(given[learned], truths[learned])  # type: ignore[attr-defined]
            found.setdefault(baseline, []).append(figures(model.predict(given[others]), truths[others]))
    means = {who: [fmean(values) for values in zip(*one, strict=True)] for who, one in found.items()}
    shown = "".join(f"{f'{mape:.2%} {near:4.0%} {order:.3f}':>20}" for mape, near, order in means.values())
    over = means["zenbench"][0] - min(means[baseline][0] for baseline in BASELINES)
    tally = ", ".join(f"{readings.count(one)} {one}" for one in dict.fromkeys(readings))
    one, two = np.mean(within, axis=0)
    print(
        f"{name:36}{shown} {100 * over:+10.2f}  {fmean(said):.2%}, {one:.0%} / {two:.0%}, {tally}",
        flush=True,
    )
    return over


def fitted(networks: Sequence[Network], truths: Vector) -> FittedTable:
    record = fit_networks(networks, list(map(str, networks)), list(truths), readings_of(SPACE))
    card = TableCard(Setting("d", "r"), "fitted", {}, {}, {}, None, None, "", "", model=record.to_json())
    return FittedTable(LatencyTable(card, {}))


def counts(network: Network) -> list[float]:
    ops = cell_ops(str(network)) or ()
    return [*map(ops.count, CELL_OPS), graph_cost(network.graph()).macs / 1e6]


def figures(predicted: Vector, truths: Vector) -> tuple[float, float, float]:
    """Mean error, share within 10 % and rank correlation."""
    errors = np.abs(predicted / truths - 1)
    return float(errors.mean()), float(np.mean(errors <= 0.1)), float(spearmanr(predicted, truths)[0])


if __name__ == "__main__":
    main()
