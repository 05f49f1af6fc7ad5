"""How true predictions are: whole networks that no table has learned from, predicted and measured in one
run.

`make accuracy`, or `python benchmarks/accuracy.py [--time 8m] [--networks 50] [--runtime litert]
[--threads 1] [--out runs/accuracy]`; for a phone `--device pixel2 [--serial HOST:PORT] [--runner FILE]`.
In each setting (this computer's two runtimes with one and two threads, unless told) a profile of so long
is interleaved with the hold-out networks, drawn from both spaces at 32 to 224 pixels by a seed of their
own, so that prediction and truth see the same machine. Each setting has its folder with the table, its
journal, measured.csv and predicted.csv; summary.csv holds what is printed. Run again, it goes on where it
was interrupted, and leaves finished settings alone.
"""

import argparse
import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.table import Table
from zenbench.bench.cli.compare import SHOWN, show_agreement
from zenbench.bench.cli.profile import RESOLUTIONS, run_profile
from zenbench.bench.comparing.agreement import agree
from zenbench.bench.comparing.worst_networks import shares_of_worst
from zenbench.bench.latency_files.latency_rows import read_rows, write_rows
from zenbench.bench.measuring.journal import journal_path, read
from zenbench.bench.measuring.whole_networks import judged
from zenbench.bench.profiling.plan import plan, random_networks, sources
from zenbench.bench.profiling.progress import Limits
from zenbench.bench.tables.prediction import predict
from zenbench.devices.base import Connection, SettingRequest
from zenbench.devices.registry import device
from zenbench.latency_tables.measured.model import TableModel
from zenbench.latency_tables.table import LatencyTable
from zenbench.quantities import parse_duration_ms
from zenbench.zen.network import Network
from zenbench.zen.space import spaces

HOLD_OUT_RESOLUTIONS = (224, 192, 160, 128, 96, 64, 32)


@dataclass(frozen=True)
class Result:
    """One line of summary.csv; errors and shares as fractions."""

    setting: str
    workloads: int
    calibrating: int
    judging: int
    mape: float
    bias: float
    within_5: float
    within_10: float
    noise_ceiling: float | None
    within_1_std: float | None
    within_2_std: float | None
    spearman: float | None
    minutes: float


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--time", default="8m", help="how long a setting is profiled, its judging networks apart"
    )
    parser.add_argument("--blocks", type=int, help="so many workloads a setting, instead of a time")
    parser.add_argument("--networks", type=int, default=50)
    parser.add_argument("--seed", type=int, default=7007, help="of the judging networks")
    parser.add_argument("--device", default="host")
    parser.add_argument("--runtime", action="append", help="may be given several times")
    parser.add_argument("--threads", type=int, action="append", help="may be given several times")
    parser.add_argument("--serial")
    parser.add_argument("--runner", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/accuracy"))
    options = parser.parse_args(arguments)
    runtimes = options.runtime or (["onnxruntime", "litert"] if options.device == "host" else [None])
    results = []
    for runtime in runtimes:
        for threads in options.threads or (1, 2):
            driver = device(options.device, runtime, Connection(options.serial, options.runner))
            setting = driver.setting(SettingRequest(runtime, threads=threads))
            folder = options.out / f"{setting.runtime}-t{threads}"
            table = folder / f"{setting.file_stem}.csv"
            networks = hold_out_networks(options.networks, options.seed)
            if not finished(folder, len(networks)):
                spent = read(journal_path(table)).seconds("calibrating")
                seconds = None if options.blocks else max(0.0, parse_duration_ms(options.time) / 1e3 - spent)
                left = Limits(options.blocks, seconds)
                planned = partial(plan, sources(), RESOLUTIONS, 0)
                run_profile(driver, setting, planned, table, left, networks)
                write_results(table)
            results.append(show(table))
            write_summary(options.out / "summary.csv", results)
    print_summary(results)


def hold_out_networks(count: int, seed: int) -> list[Network]:
    """Different random networks, from each space in turn."""
    stream = random_networks(sources(*spaces().values()), HOLD_OUT_RESOLUTIONS, seed)
    return list(islice(dict.fromkeys(islice(stream, 2 * count)), count))


def finished(folder: Path, networks: int) -> bool:
    predicted = folder / "predicted.csv"
    return predicted.exists() and len(read_rows(predicted)) == networks


def write_results(table: Path) -> None:
    history = read(journal_path(table))
    model = TableModel(LatencyTable.load(table))
    measured = judged(history, model.table.card.reference_ms)
    predicted = predict(model, [history.networks[key] for key in history.networks if key in history.hold_out])
    write_rows(table.parent / "measured.csv", measured)
    write_rows(table.parent / "predicted.csv", predicted)


def show(table: Path) -> Result:
    """Prints what `zenbench compare` says, and gives the line of the summary."""
    loaded, history = LatencyTable.load(table), read(journal_path(table))
    found = agree(*(read_rows(table.parent / name) for name in ("measured.csv", "predicted.csv")))
    show_agreement(found, "table", shares_of_worst(found, found.pairs[:SHOWN], table))
    return Result(
        f"{found.device} {found.setting}",
        len(loaded.rows),
        len(loaded.networks),
        found.count,
        found.mape,
        found.bias,
        found.within_5,
        found.within_10,
        found.noise_ceiling,
        found.within_1_std,
        found.within_2_std,
        found.spearman,
        (history.seconds("calibrating") + history.seconds("judging")) / 60,
    )


def write_summary(path: Path, results: list[Result]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(asdict(results[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, results))


def print_summary(results: list[Result]) -> None:
    table = Table()
    for heading in (
        "setting",
        "workloads",
        "calibrating",
        "judging",
        "MAPE",
        "bias",
        "within 5 / 10 %",
        "noise ceiling",
        "within 1 / 2 std",
        "minutes",
    ):
        table.add_column(heading)
    for one in results:
        table.add_row(
            one.setting,
            f"{one.workloads}",
            f"{one.calibrating}",
            f"{one.judging}",
            f"{one.mape:.1%}",
            f"{one.bias:+.1%}",
            f"{one.within_5:.0%} / {one.within_10:.0%}",
            share(one.noise_ceiling, ".1%"),
            f"{share(one.within_1_std, '.0%')} / {share(one.within_2_std, '.0%')}",
            f"{one.minutes:.1f}",
        )
    Console(width=160).print(table)


def share(value: float | None, form: str) -> str:
    return "not known" if value is None else format(value, form)


if __name__ == "__main__":
    main()
