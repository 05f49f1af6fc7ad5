"""How well tables fitted to whole networks predict others, and how fast.

`python benchmarks/tables/fit.py [--seeds 20]`: NAS-Bench-201 as measured on three phones' processors (see
tests/data/README.md), with and without corrections; networks of super blocks with the latencies of two
shipped modelled tables and 2 % of noise; and the time of a fit and of a prediction. About two minutes.
"""

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
from zenbench.bench.latency_files.columns import Columns
from zenbench.bench.profiling.plan import random_networks, sources
from zenbench.bench.tables.fitting import fit_table
from zenbench.devices.base import Setting, SettingRequest
from zenbench.latency_tables.card import TableCard
from zenbench.latency_tables.fitted.cell_features import CellFeatures, computed
from zenbench.latency_tables.fitted.features import readings_of
from zenbench.latency_tables.fitted.fit import fit_networks, network_features
from zenbench.latency_tables.fitted.model import FittedTable
from zenbench.latency_tables.modelled.model import ModelledTable
from zenbench.latency_tables.op_features import Vector
from zenbench.latency_tables.store import shipped
from zenbench.latency_tables.table import LatencyTable
from zenbench.zen.families.nas_bench_201 import cell_network
from zenbench.zen.latency import Part
from zenbench.zen.network import Network
from zenbench.zen.space import spaces
from zenbench.zen.units.cell import CELL_OPS, CellUnit
from zenbench.zen.workload import Workload

DATA = Path(__file__).parents[2] / "tests" / "data" / "nasbench201_latency.csv"
DEVICES = ("cortex_a76_cpu_ms", "adreno_640_gpu_ms", "adreno_630_gpu_ms")
COUNTS = (50, 100, 300, 900)
KEPT_ASIDE = 100
SETTINGS = (Setting("pixel2", "litert"), Setting("t4", "tensorrt", "int8", 64))
NOISE = 0.02
MANY = 3000


@dataclass(frozen=True)
class Errors:
    """Relative errors, and in how many standard deviations, of networks that a table was not fitted to."""

    relative: Vector
    deviations: Vector

    @staticmethod
    def joined(several: Sequence["Errors"]) -> "Errors":
        return Errors(
            *(np.concatenate([getattr(one, name) for one in several]) for name in Errors.__annotations__)
        )

    def __str__(self) -> str:
        sizes, deviations = np.abs(self.relative), np.abs(self.deviations)
        return (
            f"mean {sizes.mean():6.2%}  bias {self.relative.mean():+6.2%}  "
            f"within 5 % {np.mean(sizes < 0.05):7.2%}  10 % {np.mean(sizes < 0.1):7.2%}  "
            f"1 std {np.mean(deviations < 1):4.0%}  2 std {np.mean(deviations < 2):4.0%}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    seeds = parser.parse_args().seeds
    if seeds < 4:
        parser.error("the parts draw a half and a quarter of --seeds, so 4 at least")
    with DATA.open(newline="") as file:
        rows = list(csv.DictReader(file))
    networks = [cell_network(row["arch"]) for row in rows]
    for device in DEVICES:
        cells(device, networks, np.array([float(row[device]) for row in rows]), seeds)
    for setting in SETTINGS:
        for space in spaces():
            super_blocks(setting, space, seeds // 4)
    speed()


def cells(device: str, networks: Sequence[Network], truths: Vector, seeds: int) -> None:
    print(f"\n{device}, NAS-Bench-201, measured")
    print(f"  cells that compute the same differ by {repetition(networks, truths):.2%}")
    print(f"  {sums_of_zeros(networks, truths)}")
    orders = [np.random.default_rng(seed).permutation(len(truths)) for seed in range(seeds)]
    whole = [errors("nasbench201", networks, truths, order[:100], order[100:]) for order in orders]
    print(f"  {100:4} networks, {seeds:2} draws, all others:     {Errors.joined(whole)}")
    sizes = [np.abs(one.relative) for one in whole]
    worst = max(one.mean() for one in sizes), min(np.mean(one < 0.1) for one in sizes)
    print(f"       worst draw:                   mean {worst[0]:6.2%}  within 10 % {worst[1]:7.2%}")
    for count in COUNTS:
        halves = [(order[:count], order[-KEPT_ASIDE:]) for order in orders[: seeds // 2]]
        aside = [errors("nasbench201", networks, truths, known, others) for known, others in halves]
        print(f"  {count:4} networks, {seeds // 2:2} draws, the same {KEPT_ASIDE}:   {Errors.joined(aside)}")
        counts = [counts_alone(networks, truths, known, others, _CountsAlone()) for known, others in halves]
        print(f"       without corrections:          mean {np.mean(np.abs(counts)):6.2%}")


class _CountsAlone(CellFeatures):
    """What carries the latency of a cell, without corrections."""

    def __init__(self) -> None:
        super().__init__()
        self.names = self.names[: self.carriers]

    def unit(self, workload: Workload) -> Sequence[float]:
        return super().unit(workload)[: self.carriers]


class _Folded(_CountsAlone):
    """The same, had the converter folded sums of two zeros."""

    def unit(self, workload: Workload) -> Sequence[float]:
        unit = workload.unit
        if not isinstance(unit, CellUnit):
            return super().unit(workload)
        return self.cell(unit.live(), unit.channels, workload.size)[: self.carriers]


def counts_alone(
    networks: Sequence[Network], truths: Vector, known: Vector, others: Vector, features: CellFeatures
) -> Vector:
    """Relative errors of a fit to counts of operations."""
    learned = [networks[index] for index in known]
    coefficients = fit_networks(
        learned, list(map(str, learned)), list(truths[known]), [features]
    ).coefficients
    predicted = network_features([networks[index] for index in others], features) @ coefficients
    errors: Vector = predicted / truths[others] - 1
    return errors


def sums_of_zeros(networks: Sequence[Network], truths: Vector) -> str:
    """How cells that compute on a sum of two zeros are predicted, that counted and not, by a fit to all."""
    units = [next(block for block in network.blocks if isinstance(block, CellUnit)) for network in networks]
    found = np.array([index for index, unit in enumerate(units) if computed(unit.ops) != unit.live()])
    everything = np.arange(len(networks))
    counted = counts_alone(networks, truths, everything, found, _CountsAlone())
    folded = counts_alone(networks, truths, everything, found, _Folded())
    return (
        f"{len(found)} cells compute on a sum of two zeros: counted, bias {counted.mean():+.1%}; "
        f"not counted, {folded.mean():+.1%}, the worst {folded.min():+.1%}"
    )


def repetition(networks: Sequence[Network], truths: Vector) -> float:
    """Mean difference from their median of networks that compute the same: no prediction can be better."""
    alike: dict[object, list[float]] = {}
    for network, truth in zip(networks, truths, strict=True):
        unit = next(block for block in network.blocks if isinstance(block, CellUnit))
        alike.setdefault(computed(unit.ops), []).append(float(truth))
    groups = [np.array(group) for group in alike.values() if len(group) > 1]
    return float(np.mean(np.concatenate([np.abs(group / np.median(group) - 1) for group in groups])))


def super_blocks(setting: Setting, space: str, seeds: int) -> None:
    truth = ModelledTable(shipped(setting))
    print(f"\n{setting.device} {setting}, space {space}, modelled latencies with {NOISE:.0%} of noise")
    networks = list(islice(random_networks(sources(spaces()[space]), (224, 192, 160, 128), 0), 600))
    exact = np.array([truth.estimate(network).ms for network in networks])
    noisy = exact * np.exp(NOISE * np.random.default_rng(0).standard_normal(len(exact)))
    for count in (30, 100, 400):
        found = []
        for seed in range(seeds):
            order = np.random.default_rng(seed).permutation(len(networks))
            found.append(errors(space, networks, noisy, order[:count], order[-KEPT_ASIDE:]))
        print(f"  {count:4} networks, {seeds:2} draws, the same {KEPT_ASIDE}:   {Errors.joined(found)}")


def errors(space: str, networks: Sequence[Network], truths: Vector, known: Vector, others: Vector) -> Errors:
    model = fitted(space, [networks[index] for index in known], truths[known])
    estimates = [model.estimate(networks[index]) for index in others]
    differences = np.array([one.ms for one in estimates]) - truths[others]
    return Errors(differences / truths[others], differences / np.array([one.std_ms for one in estimates]))


def fitted(space: str, networks: Sequence[Network], truths: Vector) -> FittedTable:
    record = fit_networks(
        networks, [network.digest for network in networks], list(truths), readings_of(space)
    )
    card = TableCard(
        Setting("phone", "litert"), "fitted", {}, {}, {}, None, None, "", "", model=record.to_json()
    )
    return FittedTable(LatencyTable(card, {}))


def speed() -> None:
    generator = np.random.default_rng(0)
    every = map(cell, product(CELL_OPS, repeat=6))
    drawn = {
        "nasbench201": [name for name in every if name is not None],
        "mobilenet": list(map(str, islice(random_networks(sources(spaces()["mobilenet"]), (224,), 0), MANY))),
    }
    print("\nspeed")
    for space, texts in drawn.items():
        with TemporaryDirectory() as folder:
            path = Path(folder) / "measured.csv"
            latencies = generator.uniform(1, 2, len(texts))
            lines = [f'"{text}",{ms}' for text, ms in zip(texts, latencies, strict=True)]
            path.write_text("\n".join(["network,latency_ms", *lines]))
            start = perf_counter()
            model = FittedTable(fit_table(path, space, None, SettingRequest(), Columns())[0])
            seconds = perf_counter() - start
        network = (
            cell_network(texts[0])
            if space == "nasbench201"
            else next(random_networks(sources(spaces()[space]), (224,), 0))
        )
        workloads = network.workloads()
        print(
            f"  {space}, {len(texts):,} networks: {seconds:.2f} s from the file to its table; "
            f"a prediction from {len(workloads)} cached blocks {prediction_us(model, network):.0f} us"
        )


def cell(ops: Sequence[str]) -> str | None:
    """A cell's string; None for one whose output does not depend on its input."""
    op = iter(ops)
    text = "+".join(
        f"|{'|'.join(f'{next(op)}~{source}' for source in range(target))}|" for target in (1, 2, 3)
    )
    unit = CellUnit(".".join(ops), 16)
    return text if unit.live() and not unit.is_identity else None


def prediction_us(model: FittedTable, network: Network) -> float:
    """The fastest of many runs, whose blocks are cached."""
    workloads = network.workloads()
    times = []
    for _ in range(200):
        start = perf_counter()
        model.total(Part.sum([model.block(workload) for workload in workloads]))
        times.append(perf_counter() - start)
    return 1e6 * min(times)


if __name__ == "__main__":
    main()
