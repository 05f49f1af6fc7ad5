"""Predicted against measured on random networks that no table has seen.

Run after `zenbench profile`: `python benchmarks/accuracy.py [--networks 20] [--seed 1000] [--out DIR]`.
Writes networks.txt, measured.csv and predicted.csv, and prints the agreement.
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
from zenbench.devices.base import Wish
from zenbench.devices.registry import device
from zenbench.zen.space import spaces

RESOLUTIONS = (224, 224, 192, 160, 128, 96, 64, 32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/accuracy"))
    options = parser.parse_args()
    wish = Wish(threads=options.threads)
    model = open_model("host", wish)
    stream = random_networks(list(spaces().values()), RESOLUTIONS, options.seed)
    unseen = (network for network in stream if network not in model.table.networks)
    networks = list(islice(unseen, options.networks))
    driver = device("host")
    options.out.mkdir(parents=True, exist_ok=True)
    measured = run_measure(driver, driver.setting(wish), networks, options.out / "measured.csv")
    predicted = predict(model, networks)
    write_rows(options.out / "predicted.csv", predicted)
    show_agreement(agree(measured, predicted), "table")


if __name__ == "__main__":
    main()
