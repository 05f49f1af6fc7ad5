"""The Zen-Score on its golden networks as Markdown: `python benchmarks/zen/zen_scores.py`.

By forward passes (4 repeats) and in closed form, a row a network and reading. Five minutes on one core.
"""

import json
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch
from zenbench.zen.network import parse_text
from zenbench.zen.proxies.base import READINGS
from zenbench.zen.proxies.closed_form import zen_closed
from zenbench.zen.proxies.zen_score import zen_samples

GOLDEN: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "tests" / "data" / "zen_scores.json").read_text("utf-8")
)
REPEATS = 4


def main() -> None:
    torch.set_num_threads(1)
    print(
        "| network | reading | golden | std | zen | std | s a repeat | standard errors | zen-closed | error |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, row in GOLDEN.items():
        network = parse_text(row["structure"], row["resolution"])
        samples = zen_samples(network.graph(), row["batch"], REPEATS)
        for reading in READINGS:
            golden, spread = row[f"{reading}_mean"], row[f"{reading}_std"]
            values = samples.paper if reading == "paper" else samples.running
            error = sqrt(stdev(values) ** 2 / REPEATS + spread**2 / row["n_repeats"])
            closed = zen_closed(network, reading)
            cells = (
                name,
                reading,
                f"{golden:.2f} | {spread:.2f}",
                f"{fmean(values):.2f} | {stdev(values):.2f} | {samples.seconds / REPEATS:.2g}",
                f"{(fmean(values) - golden) / error:+.1f}",
                f"{closed:.2f} | {closed / golden - 1:+.2%}",
            )
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
