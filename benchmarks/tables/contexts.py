"""Ways to time what a unit adds to its network: the sum of all units, uncalibrated, over the network.

OMP_NUM_THREADS=1 python benchmarks/tables/contexts.py [--runtime litert] [--out runs/contexts.csv]

16 networks (8 of the zoo, 8 random ones), one thread. Each unit is timed

- alone, as a graph of its own;
- between ends, half of which are subtracted, over and over (`warm`) and behind a flush of caches (`cold`);
- in a chain of one and three of it between ends, where its output has the form of its input: the slope;
- in place: between warm and cold by how far the network outgrows the caches, as a table's plain sum has it.

None of them sees the network that it is judged by. 8 interleaved rounds; CPU time of the thread (median), and
wall clock (fastest). Networks are loaded four times. Seconds a unit are those spent timing it and its ends.
"""

import argparse
import csv
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import fmean, median
from time import perf_counter, thread_time_ns
from typing import NamedTuple

from hold_out import hold_out_networks
from zenbench.bench.measuring.contexts import END_CHANNELS, context_graph, ends_of
from zenbench.bench.measuring.flush import flush_artifact
from zenbench.bench.measuring.recipe import profile_recipe
from zenbench.bench.measuring.subjects import written
from zenbench.devices.base import Connection, Device, Session, Setting, SettingRequest
from zenbench.devices.registry import device
from zenbench.latency_tables.measured.network_calibration import calibrate, cut_terms
from zenbench.zen.families import zoo
from zenbench.zen.graph import Graph
from zenbench.zen.graph_builder import GraphBuilder
from zenbench.zen.network import Network
from zenbench.zen.workload import Workload

ZOO = (
    *("resnet-50", "resnet-18", "mobilenetv2-1.0", "zennet-0.1ms", "densenet-121", "regnety-400mf"),
    *("ofanet-595m", "zennet-400m-se"),
)
RANDOM = 8
ROUNDS, WINDOW, LOADS, COLD_RUNS, CHAIN = 8, 12, 4, 2, 3
ROUND_MS, RUNS = 8.0, (3, 20)
WAYS = ("alone", "warm", "cold", "chain", "in place")
WITHIN = 0.03


class Clock(NamedTuple):
    """One subject's ms a run by the thread's CPU time and by the wall clock."""

    cpu: float
    wall: float


@dataclass
class Times:
    """What was read of one subject, warm and cold, and the seconds that it took."""

    warm: list[Clock] = field(default_factory=list)
    cold: list[Clock] = field(default_factory=list)
    seconds: float = 0.0

    def ms(self, clock: str, cold: bool = False) -> float:
        values = [getattr(one, clock) for one in (self.cold if cold else self.warm)]
        if clock == "cpu":
            return median(values)
        # As rows of a table have it: the fastest, of cold runs the faster quarter.
        return sorted(values)[len(values) // 4] if cold else min(values)


class Bench:
    """Times graphs by their keys, window by window."""

    def __init__(self, driver: Device, setting: Setting) -> None:
        self.driver, self.setting = driver, setting
        self.times: dict[str, Times] = {}

    def run(self, graphs: dict[str, Graph], cold: bool) -> None:
        items = iter(graphs.items())
        while window := list(islice(items, WINDOW)):
            self._window(window, cold)

    def _window(self, window: Sequence[tuple[str, Graph]], cold: bool) -> None:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            flush = self._flush(folder, stack) if cold else None
            opened = [(key, self._open(graph, key, folder, stack)) for key, graph in window]
            for _ in range(ROUNDS):
                for key, session in opened:
                    self._round(self.times.setdefault(key, Times()), session, flush)

    def _open(self, graph: Graph, key: str, folder: Path, stack: ExitStack) -> Session:
        artifact = written(graph, folder, key, self.setting, self.driver.accepts[0])
        return stack.enter_context(closing(self.driver.open(artifact, self.setting)))

    def _flush(self, folder: Path, stack: ExitStack) -> Session:
        megabytes = profile_recipe(self.driver).flush_mb
        artifact = flush_artifact(megabytes, folder, self.setting, self.driver.accepts[0])
        return stack.enter_context(closing(self.driver.open(artifact, self.setting)))

    def _round(self, times: Times, session: Session, flush: Session | None) -> None:
        started = perf_counter()
        lead_ms = session.time(1)[0].ms
        times.warm.append(clocked(session, min(max(round(ROUND_MS / lead_ms), RUNS[0]), RUNS[1])))
        if flush is not None:
            for _ in range(COLD_RUNS):
                flush.time(1)
                times.cold.append(clocked(session, 1))
        times.seconds += perf_counter() - started


def clocked(session: Session, runs: int) -> Clock:
    """The driver's own preparations are in the CPU time; between ends they cancel out."""
    started = thread_time_ns()
    samples = session.time(runs)
    return Clock((thread_time_ns() - started) / 1e6 / runs, min(sample.ms for sample in samples))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runtime", action="append", help="may be given several times")
    parser.add_argument("--out", type=Path, default=Path("runs/contexts.csv"))
    options = parser.parse_args(arguments)
    lines: list[dict[str, object]] = []
    for runtime in options.runtime or ("onnxruntime", "litert"):
        driver = device("host", runtime, Connection(None, None))
        setting = driver.setting(SettingRequest(runtime, threads=1))
        found = list(ratios(Bench(driver, setting), networks()))
        lines += [{"runtime": runtime, **line} for line in found]
        show(runtime, found)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def networks() -> dict[str, Network]:
    drawn = enumerate(hold_out_networks(RANDOM), 1)
    random = {f"random {number} at {network.resolution}": network for number, network in drawn}
    return {name: zoo(name) for name in ZOO} | random


def ratios(bench: Bench, named: dict[str, Network]) -> Iterator[dict[str, object]]:
    """A line a network: by clock and way, the sum of its units over itself."""
    units = dict.fromkeys(unit for network in named.values() for unit in network.workloads())
    bench.run({f"alone {unit}": unit.graph() for unit in units}, cold=False)
    load(bench, named)
    ends = dict.fromkeys(end for unit in units for end in ends_of(unit))
    contexts = {str(unit): context_graph(unit) for unit in units} | {end.key: end.graph() for end in ends}
    bench.run(contexts, cold=True)
    load(bench, named)
    chains = {f"chain {unit}": chain_graph(unit) for unit in units if repeats(unit)}
    bench.run(chains, cold=False)
    load(bench, named)
    load(bench, named)
    for name, network in named.items():
        line: dict[str, object] = {"network": name}
        for clock in ("cpu", "wall"):
            whole = median(bench.times[f"{name} load {number}"].ms(clock) for number in range(LOADS))
            sums = {
                way: sum(unit_ms(bench, unit, way, clock) for unit in network.workloads()) for way in WAYS[:4]
            }
            sums["in place"] = in_place_ms(bench, network, sums)
            line |= {f"{clock} ms": whole, **{f"{clock} {way}": ms / whole for way, ms in sums.items()}}
        yield line
    print(f"\nseconds a unit: {seconds(bench, units)}")


def load(bench: Bench, named: dict[str, Network]) -> None:
    """All networks once more, loaded anew."""
    loads = Counter(key.rpartition(" load ")[0] for key in bench.times)
    bench.run({f"{name} load {loads[name]}": network.graph() for name, network in named.items()}, cold=False)


def repeats(unit: Workload) -> bool:
    graph = unit.graph()
    return graph.input_shape == graph.output_shape


def chain_graph(unit: Workload) -> Graph:
    """CHAIN of the unit between ends."""
    builder = GraphBuilder((END_CHANNELS, unit.size, unit.size), "stem_")
    x = builder.activation(builder.batch_norm(builder.conv("input", unit.unit.in_channels, 1)), "relu")
    for number in range(CHAIN):
        builder.scope = f"unit{number}_"
        x = unit.unit.lower(builder, x)
    builder.scope = "tail_"
    builder.conv(x, END_CHANNELS, 1, bias=True)
    return builder.graph()


def unit_ms(bench: Bench, unit: Workload, way: str, clock: str) -> float:
    if way == "alone":
        return bench.times[f"alone {unit}"].ms(clock)
    cold = way == "cold"
    whole = bench.times[str(unit)].ms(clock, cold)
    if way == "chain" and repeats(unit):
        return (bench.times[f"chain {unit}"].ms(clock) - whole) / (CHAIN - 1)
    return whole - 0.5 * sum(bench.times[end.key].ms(clock, cold) for end in ends_of(unit))


def in_place_ms(bench: Bench, network: Network, sums: dict[str, float]) -> float:
    """As a table has it that knows no network."""
    excess = sums["cold"] - sums["warm"]
    terms = map(sum, zip(*map(cut_terms, network.workloads()), strict=True))
    cache_mb = profile_recipe(bench.driver).last_cache_mb
    return calibrate([], [], [], [], cache_mb).apply((sums["warm"], excess, *terms), 0.0, 0.0)[0]


def seconds(bench: Bench, units: Sequence[Workload] | dict[Workload, None]) -> str:
    def spent(keys: Iterator[str]) -> float:
        return sum(bench.times[key].seconds for key in keys) / len(units)

    ends = spent(iter(dict.fromkeys(end.key for unit in units for end in ends_of(unit))))
    chained = spent(f"chain {unit}" for unit in units if repeats(unit))
    context = spent(map(str, units))
    return (
        f"alone {spent(f'alone {unit}' for unit in units):.3f}, between ends, warm and cold "
        f"{context + ends:.3f} (of which the ends {ends:.3f}), the chain beside it {chained:.3f}"
    )


def show(runtime: str, lines: Sequence[dict[str, object]]) -> None:
    print(f"\n{runtime}: sum of the units over the network, by CPU time (by wall clock)\n")
    print("| network | ms | " + " | ".join(WAYS) + " |\n|---|---|" + "---|" * len(WAYS))
    for line in lines:
        cells = [f"{line[f'cpu {way}']:.3f} ({line[f'wall {way}']:.3f})" for way in WAYS]
        print(f"| {line['network']} | {line['cpu ms']:.2f} | " + " | ".join(cells) + " |")
    for clock in ("cpu", "wall"):
        for way in WAYS:
            errors = [abs(float(str(line[f"{clock} {way}"])) - 1) for line in lines]
            near = sum(error <= WITHIN for error in errors)
            print(
                f"{clock}, {way}: {near} of {len(lines)} within {WITHIN:.0%}, mean error {fmean(errors):.1%}"
            )


if __name__ == "__main__":
    main()
