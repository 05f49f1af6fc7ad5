"""The networks of the evidence: `python benchmarks/trained/networks.py [TABLE]`.

Writes baselines.csv and networks.csv; with a latency table of this computer, also latency_networks.csv: those
within 2 ms.

For each budget, at 32 x 32 pixels and 10 classes: hand-made baselines of three families, each at three
widths; what searches find by the plain Zen-Score in both spaces under several limits on depth, with and
without the default limits on shape; and random networks of both spaces. Everything follows from seeds, so
running it again writes the same files. They were committed before the first network was trained.

`half`: the rule of ranking is chosen on one half of the networks and judged on the other. Within a budget and
an origin, networks are put in order of their depth and then of their MACs, and neighbours by twos go to the
same half, so that no network is judged beside its twin, and both halves have every depth.
"""

import csv
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from zenbench.latency_tables.measured.model import TableModel
from zenbench.latency_tables.table import LatencyTable
from zenbench.zen.cost import cost
from zenbench.zen.network import Network, parse_text
from zenbench.zen.random_networks import random_network
from zenbench.zen.search import Budget, LatencyLimit, SearchTask, search
from zenbench.zen.search.shape_guard import guarded
from zenbench.zen.space import spaces

FOLDER = Path(__file__).parent
RESOLUTION, CLASSES = 32, 10
LIMIT_MS = 2.0
BUDGETS = {"10M": Budget(macs=10_000_000, params=100_000), "5M": Budget(macs=5_000_000, params=50_000)}
LAYERS = (6, 9, 13, 18)
EVALUATIONS, POPULATION = 20_000, 256
RANDOM_NETWORKS = 9
"""Of each space and budget."""
LEAST_USE = 0.5
"""Of one limit, what a random network uses; a baseline uses LEAST_USE_BY_HAND."""
LEAST_USE_BY_HAND = 0.9


@dataclass(frozen=True)
class Row:
    """A network and where it comes from: origin `baseline`, `searched` or `random`, and how in `source`."""

    budget: str
    origin: str
    source: str
    network: Network
    half: str = ""


def use(network: Network, budget: Budget) -> tuple[float, float]:
    """The shares of the limits on MACs and on parameters."""
    found = cost(network)
    return found.macs / (budget.macs or 1), found.params / (budget.params or 1)


def network_of(text: str) -> Network:
    return parse_text(text, RESOLUTION, CLASSES)


@dataclass(frozen=True)
class Form:
    """The choices of a hand-made network: width of the stem, stride of the first stage, growth of the width
    from stage to stage, blocks a stage, channels of the last convolution."""

    width: int
    stride: int
    growth: float
    depths: tuple[int, int, int]
    last: int

    def stages(self) -> Iterator[tuple[int, int, int]]:
        """Output channels, stride and blocks of each; the first is as wide as the stem."""
        for stage, depth in enumerate(self.depths):
            channels = max(8, round(self.width * self.growth**stage / 8) * 8)
            yield channels, self.stride if stage == 0 else 2, depth


def resnet_like(form: Form) -> str:
    """ResNet for CIFAR (arXiv 1512.03385): basic blocks."""
    text, channels = f"SuperConvK3BNRELU(3,{form.width},1,1)", form.width
    for out, stride, depth in form.stages():
        text += f"SuperResK3K3({channels},{out},{stride},{out},{depth})"
        channels = out
    return text + f"SuperConvK1BNRELU({channels},{form.last},1,1)"


def mobilenet_like(form: Form) -> str:
    """MobileNetV2 (arXiv 1801.04381): inverted blocks of expansion 6, 3 x 3, the first of expansion 1."""
    text, channels = f"SuperConvK3BNRELU(3,{form.width},1,1)", form.width
    for stage, (out, stride, depth) in enumerate(form.stages()):
        expansion = 6 if stage else 1
        text += f"SuperResIDWE{expansion}K3({channels},{out},{stride},{channels},{depth})"
        channels = out
    return text + f"SuperConvK1BNRELU({channels},{form.last},1,1)"


def zennet_like(form: Form) -> str:
    """ZenNet-CIFAR (arXiv 2102.01063, idstcv/ZenNAS at d1d617e): bottleneck blocks of kernels 5 and 3, wide
    around narrow bottlenecks."""
    text, channels = f"SuperConvK3BNRELU(3,{form.width},1,1)", form.width
    for stage, (out, stride, depth) in enumerate(form.stages()):
        kernel, inner = 3 if stage == 1 else 5, max(8, out // 4 // 8 * 8)
        text += f"SuperResK1K{kernel}K1({channels},{out},{stride},{inner},{depth})"
        channels = out
    return text + f"SuperConvK1BNRELU({channels},{form.last},1,1)"


FAMILIES = {
    "resnet-like": (resnet_like, {"10M": (8, 16, 24), "5M": (8, 12, 16)}),
    "mobilenetv2-like": (mobilenet_like, {"10M": (8, 16, 24), "5M": (8, 12, 16)}),
    "zennet-like": (zennet_like, {"10M": (16, 24, 32), "5M": (8, 16, 24)}),
}
_STRIDES_AND_GROWTHS = tuple(product((1, 2), (2.0, 3.0, 1.5, 1.0)))
"""The most usual first."""
_DEPTHS, _LAST = (1, 2, 3, 4, 5), (64, 96, 128, 192, 256)


def baselines() -> Iterator[Row]:
    """Of each family and width of the stem, in the most usual strides and growth that fit, the form that uses
    most of both limits together; blocks a stage hardly differ, as in the published networks."""
    for (name, budget), (family, (build, widths)) in product(BUDGETS.items(), FAMILIES.items()):
        for width in widths[name]:
            network = next(
                filter(None, (_largest(build, width, *one, budget) for one in _STRIDES_AND_GROWTHS))
            )
            yield Row(name, "baseline", f"{family}, width {width}", network)


def _largest(
    build: Callable[[Form], str], width: int, stride: int, growth: float, budget: Budget
) -> Network | None:
    fitting = []
    for depths, last in product(product(_DEPTHS, repeat=3), _LAST):
        if max(depths) - min(depths) <= 1:
            network = network_of(build(Form(width, stride, growth, depths, last)))
            shares = use(network, budget)
            if LEAST_USE_BY_HAND <= max(shares) <= 1:
                fitting.append((sum(shares), str(network), network))
    return max(fitting)[2] if fitting else None


def searched() -> Iterator[Row]:
    for (name, budget), space, layers, guard in product(
        BUDGETS.items(), ("resnet", "mobilenet"), LAYERS, (True, False)
    ):
        task = SearchTask(
            spaces()[space],
            RESOLUTION,
            CLASSES,
            replace(budget, layers=layers),
            evaluations=EVALUATIONS,
            population=POPULATION,
            seed=LAYERS.index(layers),
            islands=1,
        )
        if guard:
            task, _ = guarded(task)
        shape = "default limits on shape" if guard else "no other limits on shape"
        yield Row(
            name,
            "searched",
            f"{space}, at most {layers} layers, {shape}",
            search(task, keep=1).best[0].network,
        )


def random_ones() -> Iterator[Row]:
    for (name, budget), space in product(BUDGETS.items(), ("resnet", "mobilenet")):
        rng, found = random.Random(f"{name}/{space}"), 0
        while found < RANDOM_NETWORKS:
            network = random_network(spaces()[space], RESOLUTION, CLASSES, rng)
            shares = use(network, budget)
            if max(shares) <= 1 and max(shares) >= LEAST_USE:
                found += 1
                yield Row(name, "random", f"{space}, number {found}", network)


def within_latency(table: Path) -> Iterator[Row]:
    """Searched under four limits on depth in both spaces, random ones, and the hand-made families."""
    limit = LatencyLimit(LIMIT_MS, TableModel(LatencyTable.load(table)))
    for space, layers in product(("resnet", "mobilenet"), (8, 13, 20, 30)):
        task = SearchTask(
            spaces()[space],
            RESOLUTION,
            CLASSES,
            Budget(layers=layers, latencies=(limit,)),
            evaluations=EVALUATIONS,
            population=POPULATION,
            islands=1,
        )
        network = search(task, keep=1).best[0].network
        yield Row("2ms", "searched", f"{space}, at most {layers} layers, no other limits on shape", network)
    for space, number in product(("resnet", "mobilenet"), (1, 2)):
        rng = random.Random(f"2ms/{space}/{number}")
        while True:
            network = random_network(spaces()[space], RESOLUTION, CLASSES, rng)
            if 0.8 * LIMIT_MS <= limit.estimate(network).ms <= LIMIT_MS:
                break
        yield Row("2ms", "random", f"{space}, number {number}", network)
    for family, (build, _) in FAMILIES.items():
        forms = (
            Form(width, 1, 2.0, (depth,) * 3, 512) for width, depth in product((16, 24, 32, 40, 48), _DEPTHS)
        )
        fitting = [(limit.estimate(network).ms, network) for network in map(network_of, map(build, forms))]
        yield Row(
            "2ms", "baseline", family, max((ms, str(one), one) for ms, one in fitting if ms <= LIMIT_MS)[2]
        )


def halved(rows: Sequence[Row]) -> list[Row]:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.budget, row.origin), []).append(row)
    found = []
    for group in groups.values():
        ordered = sorted(group, key=lambda row: (cost(row.network).layers, cost(row.network).macs))
        found += [
            replace(row, half=("choose", "judge")[number // 2 % 2]) for number, row in enumerate(ordered)
        ]
    return found


def write(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("budget", "origin", "source", "half", "layers", "macs", "params", "network"))
        for row in rows:
            found = cost(row.network)
            writer.writerow(
                [
                    row.budget,
                    row.origin,
                    row.source,
                    row.half,
                    found.layers,
                    found.macs,
                    found.params,
                    row.network,
                ]
            )


def main(table: Path | None = None) -> None:
    made = halved([*baselines(), *searched(), *random_ones()])
    unique = {(row.budget, row.network): row for row in reversed(made)}
    rows = [row for row in made if unique[row.budget, row.network] is row]
    write(FOLDER / "baselines.csv", [row for row in rows if row.origin == "baseline"])
    write(FOLDER / "networks.csv", rows)
    if table is not None:
        write(FOLDER / "latency_networks.csv", halved(list(within_latency(table))))
    print(f"{len(rows)} networks, {sum(row.half == 'judge' for row in rows)} of them to judge on")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
