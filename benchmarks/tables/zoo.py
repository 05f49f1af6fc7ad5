"""How true predictions of well-known networks are: 20 of the zoo that the profile beside them never sees.

OMP_NUM_THREADS=1 python benchmarks/tables/zoo.py [--time 3m] [--runtime litert] [--out runs/zoo] [--show]

One profile a runtime of this computer, one thread, seed 0. The networks are measured in windows of their own
between the profile's, each loaded four times. Run again, it goes on where it stopped; --show measures nothing
and says what the code as it is predicts from the journals that are there.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median

from hold_out import profile_beside
from zenbench.bench.measuring.journal import journal_path, read
from zenbench.bench.tables.from_journal import build_table
from zenbench.latency_tables.measured.model import TableModel
from zenbench.zen.families import zoo
from zenbench.zen.graph import Conv
from zenbench.zen.network import Network

NAMES = (
    *("resnet-18", "resnet-34", "resnet-50", "resnet-101", "densenet-121", "densenet-169", "densenet-201"),
    *("regnety-200mf", "regnety-400mf", "regnety-600mf", "regnety-800mf", "mnasnet-1.0", "ofanet-595m"),
    *("efficientnet-b0", "efficientnet-b1", "efficientnet-b2", "efficientnet-b3"),
    *("mobilenetv2-0.5", "mobilenetv2-1.0", "mobilenetv2-1.4"),
)
RUNTIMES = ("onnxruntime", "litert")
_TUNED = 5
"""XNNPACK has no kernels written for larger depthwise convolutions."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--time", default="3m")
    parser.add_argument("--runtime", action="append", help="may be given several times")
    parser.add_argument("--out", type=Path, default=Path("runs/zoo"))
    parser.add_argument("--show", action="store_true", help="measure nothing")
    options = parser.parse_args(arguments)
    for runtime in options.runtime or RUNTIMES:
        path = options.out / runtime / "table.csv"
        if not options.show:
            profile_beside(path, runtime, options.time, 0, list(map(zoo, NAMES)))
        show(path, runtime)


def show(path: Path, runtime: str) -> None:
    table = build_table(read(journal_path(path)))
    model = TableModel(table)
    print(f"\n{runtime}: {len(table.rows)} workloads, {len(table.networks)} calibrating networks\n")
    print("| network | measured | predicted | error | plain sum |\n|---|---|---|---|---|")
    errors = {}
    for network, row in table.hold_out.items():
        estimate = model.estimate(network)
        errors[network] = estimate.ms / row.latency_ms - 1
        of_sum = estimate.sum_ms / row.latency_ms - 1
        print(
            f"| {name_of(network)} | {row.latency_ms:.2f} ms | {estimate.ms:.2f} ms | "
            f"{errors[network]:+.1%} | {of_sum:+.1%} |"
        )
    for label, group in (("all", list(errors)), ("without large depthwise kernels", tuned(errors))):
        sizes = [abs(errors[network]) for network in group]
        print(
            f"{label}: {len(sizes)} networks, mean {fmean(sizes):.1%}, median {median(sizes):.1%}, worst "
            f"{max(sizes):.1%}"
        )


def name_of(network: Network) -> str:
    """In the journal a network is its structure alone."""
    return next(name for name in NAMES if zoo(name) == network)


def tuned(networks: Sequence[Network] | dict[Network, float]) -> list[Network]:
    return [network for network in networks if not has_large_depthwise(network)]


def has_large_depthwise(network: Network) -> bool:
    ops = network.graph().ops
    return any(isinstance(op, Conv) and op.groups > 1 and op.kernel > _TUNED for op in ops)


if __name__ == "__main__":
    main()
