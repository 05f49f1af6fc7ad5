"""What a search returns beside the best baseline and the best random network:
`python benchmarks/trained/bars.py choose`, `python benchmarks/trained/train.py DATA bars`, then
`python benchmarks/trained/bars.py`.

`choose` writes bars.csv: for each budget what `zenbench search` returns by its defaults for three seeds, and
of the trained baselines and random networks those with the best accuracy on held-out images. All are then
trained with seeds 1 to 3, none of which chose anything, and compared on the test images. The interval is
Welch's, between the means of the search seeds and the other network's trainings.
"""

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import fmean, variance

from networks import BUDGETS, CLASSES, FOLDER, RESOLUTION, Row, network_of, write
from scipy.stats import t

SEARCH_SEEDS = (0, 1, 2)
CHOSEN = FOLDER / "bars.csv"
_OTHERS = ("baseline", "random")


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(newline="") as file:
        return list(csv.DictReader(file))


def found(budget: str, seed: int) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        limits = ("--macs", str(BUDGETS[budget].macs), "--params", str(BUDGETS[budget].params))
        sizes = ("--resolution", str(RESOLUTION), "--classes", str(CLASSES))
        command = ("zenbench", "search", *limits, *sizes, "--seed", str(seed), "--out", f"{folder}/found")
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - nothing in it is given
        record = json.loads(Path(folder, "found", "result.json").read_text())
    return Row(budget, "found", f"search seed {seed}", network_of(record["network"]))


def choose() -> None:
    chosen = []
    for budget in BUDGETS:
        chosen += [found(budget, seed) for seed in SEARCH_SEEDS]
        for origin in _OTHERS:
            known = [
                row
                for row in rows("trained.csv")
                if (row["stage"], row["budget"], row["origin"]) == ("networks", budget, origin)
            ]
            best = max(known, key=lambda row: float(row["held_out"]))
            chosen.append(
                Row(budget, origin, f"{best['source']}, best of {len(known)}", network_of(best["network"]))
            )
    write(CHOSEN, chosen)


def difference(ours: list[float], others: list[float]) -> tuple[float, float]:
    """Of the means, and half of its 95 % interval (Welch)."""
    parts = [variance(values) / len(values) for values in (ours, others)]
    total = sum(parts)
    freedom = total**2 / sum(
        part**2 / (len(values) - 1) for part, values in zip(parts, (ours, others), strict=True)
    )
    return fmean(ours) - fmean(others), float(t.ppf(0.975, freedom)) * total**0.5


def compare() -> None:
    trained = [row for row in rows("trained.csv") if row["stage"] == "bars"]
    for budget in BUDGETS:
        by_source: dict[tuple[str, str], list[float]] = {}
        for row in trained:
            if row["budget"] == budget:
                by_source.setdefault((row["origin"], row["source"]), []).append(100 * float(row["test"]))
        for (origin, source), values in by_source.items():
            each = ", ".join(f"{value:.1f}" for value in values)
            print(f"{budget} {origin}, {source}: {fmean(values):.2f} % ({each})")
        ours = [fmean(values) for (origin, _), values in by_source.items() if origin == "found"]
        for (origin, _), values in by_source.items():
            if origin in _OTHERS and len(ours) > 1 and len(values) > 1:
                mean, half = difference(ours, values)
                interval = f"{mean - half:+.2f} to {mean + half:+.2f}"
                print(f"{budget} found - {origin}: {mean:+.2f} points ({interval})")


if __name__ == "__main__":
    choose() if sys.argv[1:] == ["choose"] else compare()
