"""Do winners hold their budgets? `python benchmarks/search/held_budgets.py [OUT] [--program ZENBENCH]`.

24 searches on this computer: budgets of 3 to 80 ms, both spaces, ONNX Runtime and LiteRT, one thread, each
under the user's table of that runtime (profile for 3 minutes before). Every winner is measured again in a
fresh process, four loads apart from one another, and held against its budget. `--program` takes another
build's `zenbench`, whose searches only predict. Run again, it goes on where it stopped.
"""

import argparse
import json
import subprocess
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from statistics import median

BUDGETS_MS = (3, 5, 10, 20, 40, 80)
SPACES = ("resnet", "mobilenet")
RUNTIMES = ("onnxruntime", "litert")
LOADS = 4


def main(out: Path, program: str, budgets: Sequence[int], options: Sequence[str]) -> None:
    rows = []
    for budget, space, runtime in product(budgets, SPACES, RUNTIMES):
        folder = out / f"{runtime}-{space}-{budget}ms"
        if not (folder / "checked.json").exists():
            search(program, folder, budget, space, runtime, options)
        row = json.loads((folder / "checked.json").read_text())
        rows.append({"name": folder.name, "budget": budget, **row})
        print(describe(rows[-1]), flush=True)
    shares = [row["checked_ms"] / row["budget"] for row in rows]
    print(
        f"{sum(share <= 1.02 for share in shares)} of {len(rows)} take at most 1.02 of their budget, "
        f"{sum(share > 1.1 for share in shares)} more than 1.10, {sum(share >= 0.9 for share in shares)} at "
        "least 0.90"
    )
    for name in ("first", "last"):
        pairs = [pair for row in rows for pair in row[name]]
        if pairs:
            errors = [predicted / measured - 1 for predicted, _, measured in pairs]
            within = sum(abs(measured - predicted) <= 2 * std for predicted, std, measured in pairs)
            print(
                f"{name} round: {len(pairs)} finalists, mean error {sum(map(abs, errors)) / len(pairs):.1%}, "
                f"bias {sum(errors) / len(pairs):+.1%}, {within / len(pairs):.0%} within two deviations"
            )


def search(program: str, folder: Path, budget: int, space: str, runtime: str, options: Sequence[str]) -> None:
    command = [program, "search", "--latency", f"{budget}ms", "--space", space, "--runtime", runtime]
    command += ["--threads", "1", "--out", folder, *options]
    subprocess.run(command, check=False, capture_output=True)  # noqa: S603
    result = json.loads((folder / "result.json").read_text())
    loads = [check(program, folder, runtime, number) for number in range(LOADS)]
    last = max((one["round"] for one in result.get("finalists", [])), default=0)
    (folder / "checked.json").write_text(
        json.dumps(
            {
                "layers": result["layers"],
                "score": result["score"],
                "predicted_ms": result["latencies"][0]["latency_ms"],
                "measured_ms": next((one["measured_ms"] for one in result.get("verdicts", [])), None),
                "checked_ms": median(loads),
                "first": list(pairs(result, 1)),
                "last": list(pairs(result, last)),
            }
        )
    )


def check(program: str, folder: Path, runtime: str, number: int) -> float:
    """Latency in ms of the winner, loaded in a process of its own."""
    out = folder / f"check-{number}.csv"
    command = [program, "measure", folder / "result.json", "--runtime", runtime, "--threads", "1"]
    command += ["--format", "json", "--out", out]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return float(json.loads(done.stdout)[0]["latency_ms"])


def pairs(result: dict, number: int) -> Iterator[tuple[float, float, float]]:  # type: ignore[type-arg]
    """Prediction, its deviation and measurement of the finalists of a round, in ms."""
    for one in result.get("finalists", []):
        if one["round"] == number:
            for name, measured_ms in one["measured_ms"].items():
                yield one["predicted_ms"][name], one["std_ms"][name], measured_ms


def describe(row: dict) -> str:  # type: ignore[type-arg]
    measured = f"measured {row['measured_ms']:.2f}" if row["measured_ms"] else "not measured"
    share = row["checked_ms"] / row["budget"]
    return (
        f"{row['name']}: {row['layers']} layers, score {row['score']:.1f}, predicted "
        f"{row['predicted_ms']:.2f}, {measured}, again {row['checked_ms']:.2f} ms ({share:.3f} of the budget)"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path, nargs="?", default=Path("runs/held_budgets"))
    parser.add_argument("--program", default="zenbench")
    parser.add_argument("--budgets", type=int, nargs="+", default=BUDGETS_MS)
    parser.add_argument("--options", default="", help="of every search, as '--rescore none'")
    given = parser.parse_args()
    main(given.out, given.program, given.budgets, given.options.split())
