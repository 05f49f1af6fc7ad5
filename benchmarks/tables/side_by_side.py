"""Two builds of zenbench against each other: profiles that take turns, and one truth for both.

OMP_NUM_THREADS=1 python benchmarks/tables/side_by_side.py OLD NEW [--minutes 8] [--runtime litert]
[--threads 1] [--networks 50] [--out runs/side_by_side]

OLD and NEW are the `zenbench` programs of two environments, each installed from its own checkout; NEW is
of the build that runs this. Every minute the other one profiles, so that both see the same machine;
between the minutes the hold-out networks of `benchmarks/accuracy.py` are measured, each loaded four times
in all. OLD predicts them after each of its minutes; what NEW predicts then is computed from its journal at
the end. Run again, it goes on where it stopped, and shows what is there.
"""

import argparse
import json
import os
import subprocess
from collections.abc import Sequence
from math import ceil
from pathlib import Path

import numpy as np
from hold_out import hold_out_networks
from zenbench.bench.latency_files.latency_rows import LatencyRow, read_rows
from zenbench.bench.measuring.aggregation import by_visit, rounds_by_subject, row_of, usual_clock_ms
from zenbench.bench.measuring.journal import Journal, journal_path, read
from zenbench.bench.measuring.measurement import Timing
from zenbench.bench.measuring.recipe import Recipe
from zenbench.bench.measuring.rounds import REFERENCE_RECIPE
from zenbench.bench.measuring.subjects import is_network_key, is_workload_key, subject_of
from zenbench.bench.measuring.whole_networks import measure
from zenbench.bench.tables.from_journal import build_table
from zenbench.devices.base import Connection, SettingRequest
from zenbench.devices.registry import device
from zenbench.latency_tables.measured.model import TableModel
from zenbench.zen.network import Network

LOADS = 4
BUILDS = ("old", "new")
RESAMPLES = 10_000
RECIPE = Recipe(rounds=5)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--minutes", type=int, default=8, help="of each build")
    parser.add_argument("--networks", type=int, default=50)
    parser.add_argument("--runtime", default="onnxruntime")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/side_by_side"))
    options = parser.parse_args(arguments)
    folder = options.out / f"{options.runtime}-t{options.threads}"
    networks = hold_out_networks(options.networks)
    files = write_networks(networks, folder / "networks")
    programs = dict(zip(BUILDS, (options.old, options.new), strict=True))
    visits = networks * LOADS
    for minute in range(1, options.minutes + 1):
        done = folder / f"{minute}.done"
        if done.exists():
            continue
        for build, program in programs.items():
            table = folder / build / "table.csv"
            setting = ("--runtime", options.runtime, "--threads", str(options.threads))
            run(program, "profile", *setting, "--time", "1m", "--table", str(table))
            if build == "old":
                predicted = folder / build / f"{minute}.csv"
                run(program, "predict", *files, "--table", str(table), "--out", str(predicted))
        share = ceil(len(visits) / options.minutes)
        load(visits[share * (minute - 1) : share * minute], folder, options.runtime, options.threads)
        done.touch()
    show(folder, networks, options.minutes)


def write_networks(networks: Sequence[Network], folder: Path) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:03}.json" for number in range(len(networks))]
    for path, network in zip(paths, networks, strict=True):
        path.write_text(json.dumps(network.to_json()))
    return list(map(str, paths))


def run(program: Path, *arguments: str) -> None:
    """Each build has a home of its own, so that none meets the other's tables."""
    environment = os.environ | {"ZENBENCH_HOME": str(program.parent.parent / "side-by-side-home")}
    command = [str(program), *arguments]
    subprocess.run(command, check=True, capture_output=True, env=environment)  # noqa: S603


def load(networks: Sequence[Network], folder: Path, runtime: str, threads: int) -> None:
    driver = device("host", runtime, Connection(None, None))
    setting = driver.setting(SettingRequest(runtime, threads=threads))
    with Journal(folder / "truth.journal.jsonl") as journal:
        measure(driver, setting, networks, journal, recipe=RECIPE)


def show(folder: Path, networks: Sequence[Network], minutes: int) -> None:
    groups = rounds_by_subject(read(folder / "truth.journal.jsonl").by_session())
    clock_ms = usual_clock_ms(groups)
    rounds = [groups[subject_of(network).key] for network in networks]
    truths = np.array([row_of(one, clock_ms).latency_ms for one in rounds])
    loads = [[row_of(visit, clock_ms).latency_ms for visit in by_visit(one)] for one in rounds]
    pairs = [(one[: len(one) // 2], one[len(one) // 2 :]) for one in loads if len(one) > 1]
    repeated = np.array([np.median(first) / np.median(second) - 1 for first, second in pairs])
    counts = list(map(len, loads))
    print(f"{folder.name}: {len(networks)} networks, {min(counts)} to {max(counts)} loads each")
    within = np.mean(np.abs(repeated) <= 0.1)
    print(f"noise ceiling {np.abs(repeated).mean():.1%}, {within:.0%} within 10 %\n")
    for build in BUILDS:
        print(f"{build}: {spent(folder / build / 'table.csv')}")
    print("\n| minutes | old MAPE | new MAPE | new over old, 95 % | new within 10 % | new bias, 95 % |")
    print("|---|---|---|---|---|---|")
    for minute in range(1, minutes + 1):
        old = errors_of(read_rows(folder / "old" / f"{minute}.csv"), networks, truths)
        new = predicted_ms(folder / "new" / "table.csv", networks, minute) / truths - 1
        sizes = np.abs(old), np.abs(new)
        draws = np.random.default_rng(0).integers(0, len(networks), (RESAMPLES, len(networks)))
        ratio = interval(sizes[1][draws].mean(1) / sizes[0][draws].mean(1))
        print(
            f"| {minute} | {sizes[0].mean():.1%} | {sizes[1].mean():.1%} | "
            f"{sizes[1].mean() / sizes[0].mean():.2f} ({ratio[0]:.2f} to {ratio[1]:.2f}) | "
            f"{np.mean(sizes[1] <= 0.1):.0%} | {new.mean():+.1%} "
            "({:+.1%} to {:+.1%}) |".format(*interval(new[draws].mean(1)))
        )


def spent(table: Path) -> str:
    """What a build measured, and the share of its time that went into runs of subjects and the reference."""
    history = read(journal_path(table))
    timings = [one.timing for one in history.measurements if one.timing is not None]
    runs_ms = sum(sum(timing.readings) + reference_runs_ms(timing) for timing in timings)
    subjects = {one.subject for one in history.measurements}
    units = sum(map(is_workload_key, subjects))
    networks = sum(map(is_network_key, subjects))
    share = runs_ms / 1e3 / history.seconds("calibrating")
    return f"{units} workloads, {networks} networks, {share:.0%} of the time in timed runs"


def reference_runs_ms(timing: Timing) -> float:
    """Of a round: the reference's untimed run and its timed ones, one of which is among the readings."""
    reference_ms = timing.reference_ms or 0.0
    runs = round(REFERENCE_RECIPE.round_ms / max(reference_ms, 1e-6))
    return reference_ms * min(max(runs, REFERENCE_RECIPE.min_runs), REFERENCE_RECIPE.max_runs)


def predicted_ms(table: Path, networks: Sequence[Network], minute: int) -> np.ndarray:
    """What a table predicts as it was after so many sittings of a minute each."""
    history = read(journal_path(table))
    history.measurements = history.measurements[: [*history.starts, None][minute]]
    history.sessions, history.starts = history.sessions[:minute], history.starts[:minute]
    seen = {one.subject for one in history.measurements}
    history.networks = {key: network for key, network in history.networks.items() if key in seen}
    model = TableModel(build_table(history))
    return np.array([model.estimate(network).ms for network in networks])


def errors_of(rows: Sequence[LatencyRow], networks: Sequence[Network], truths: np.ndarray) -> np.ndarray:
    predicted = {row.digest: row.latency_ms for row in rows}
    return np.array([predicted[network.digest] for network in networks]) / truths - 1


def interval(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


if __name__ == "__main__":
    main()
