"""Predicted against measured on random networks that no table has seen.

Run after `zenbench profile` of that device and runtime:
`python benchmarks/accuracy.py [--networks 20] [--seed 1000] [--runtime litert] [--out DIR]`, for a phone
with `--device pixel2 [--serial HOST:PORT] [--runner FILE]`.
Writes measured.csv and predicted.csv, and prints the agreement, whole and by the largest kernel.
"""

import argparse
from itertools import islice
from pathlib import Path

from zenbench.bench.agreement import agree
from zenbench.bench.cli.compare import show_agreement
from zenbench.bench.cli.measure import run_measure
from zenbench.bench.latency_csv import write_rows
from zenbench.bench.planning import random_networks
from zenbench.bench.prediction import open_model, predict
from zenbench.devices.base import Access, Wish
from zenbench.devices.registry import device
from zenbench.zen.graph import Conv
from zenbench.zen.network import Network
from zenbench.zen.space import spaces

RESOLUTIONS = (224, 224, 192, 160, 128, 96, 64, 32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--device", default="host")
    parser.add_argument("--runtime")
    parser.add_argument("--serial")
    parser.add_argument("--runner", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/accuracy"))
    options = parser.parse_args()
    wish = Wish(options.runtime, threads=options.threads)
    model = open_model(options.device, wish)
    stream = random_networks(list(spaces().values()), RESOLUTIONS, options.seed)
    unseen = (network for network in stream if network not in model.table.networks)
    networks = list(islice(unseen, options.networks))
    driver = device(options.device, options.runtime, Access(options.serial, options.runner))
    options.out.mkdir(parents=True, exist_ok=True)
    measured = run_measure(driver, driver.setting(wish), networks, options.out / "measured.csv")
    predicted = predict(model, networks)
    write_rows(options.out / "predicted.csv", predicted)
    show_agreement(agree(measured, predicted), "table")
    for kind in sorted(set(map(largest_kernel, networks))):
        digests = {network.digest for network in networks if largest_kernel(network) == kind}
        group = agree(*([row for row in rows if row.digest in digests] for rows in (measured, predicted)))
        print(f"{kind}: {group.count} networks, mean error {group.mape:.1%}, bias {group.bias:+.1%}")


def largest_kernel(network: Network) -> str:
    """The kind of a network whose latency a runtime may treat apart."""
    convolutions = [op for op in network.graph().ops if isinstance(op, Conv)]
    depthwise = [op.kernel for op in convolutions if op.groups == op.in_channels > 1]
    kind, kernels = ("depthwise", depthwise) if depthwise else ("dense", [op.kernel for op in convolutions])
    return f"{kind}, up to {max(kernels)}x{max(kernels)}"


if __name__ == "__main__":
    main()
