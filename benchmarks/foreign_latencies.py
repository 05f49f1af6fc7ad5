"""How true predictions of others' networks are: `python benchmarks/foreign_latencies.py names FOLDER`.

Of foreign_networks.csv in alphabetical order, the first 40 of every third name are kept from the profile,
without those that timm and torchvision both have:

    python benchmarks/foreign_latencies.py names F          # F/unseen.txt and F/others.txt
    zenbench profile --for F/others.txt --time 8m --table F/table.csv
    zenbench measure --networks F/unseen.txt --out F/measured.csv
    zenbench predict --networks F/unseen.txt --table F/table.csv --format json > F/predicted.json
    python benchmarks/foreign_latencies.py judge F          # F/foreign_latencies.csv and its summary

Needs timm and torchvision as foreign.py does. What is priced has operations that no table learned from.
"""

import csv
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median

UNSEEN = 40
COLUMNS = ("network", "reading", "measured_ms", "predicted_ms", "std_ms", "coverage", "unread_share", "error")


def names(folder: Path) -> None:
    with Path(__file__).with_name("foreign_networks.csv").open(newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["constructor"])
    count = Counter(row["constructor"] for row in rows)
    texts = [f"{row['library']}:{row['constructor']}" for row in rows]
    third = zip(texts[::3], rows[::3], strict=True)
    unseen = [text for text, row in third if count[row["constructor"]] == 1][:UNSEEN]
    others = [text for text in texts if text not in unseen]
    for name, listed in (("unseen", unseen), ("others", others)):
        (folder / f"{name}.txt").write_text("\n".join(listed) + "\n")


def judge(folder: Path) -> None:
    with (folder / "measured.csv").open(newline="") as file:
        measured = {row["network"]: row for row in csv.DictReader(file)}
    rows = []
    for one in json.loads((folder / "predicted.json").read_text()):
        found = measured[one["network"]]
        if not found["latency_ms"]:
            print(f"{one['network']}: {found['error']}")
            continue
        ms = float(found["latency_ms"])
        told = {"measured_ms": ms, "predicted_ms": one["latency_ms"], "error": one["latency_ms"] / ms - 1}
        rows.append({**{name: one.get(name) for name in COLUMNS}, **told})
    with (folder / "foreign_latencies.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _cell(row[name]) for name in COLUMNS} for row in rows)
    for depth in ("read", "priced"):
        _summarise(depth, [row for row in rows if row["reading"] == depth])
    _summarise("all", rows)


def _summarise(name: str, rows: Sequence[dict]) -> None:  # type: ignore[type-arg]
    if not rows:
        return
    errors = [abs(row["error"]) for row in rows]
    stated = [row["std_ms"] / row["predicted_ms"] for row in rows]
    within = [abs(row["predicted_ms"] - row["measured_ms"]) <= 2 * row["std_ms"] for row in rows]
    print(
        f"{name}: {len(rows)} networks, median error {median(errors):.1%}, mean {mean(errors):.1%}, "
        f"bias {median(row['error'] for row in rows):+.1%}, {mean(within):.0%} within two deviations, "
        f"median stated deviation {median(stated):.1%}"
    )


def _cell(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value


if __name__ == "__main__":
    {"names": names, "judge": judge}[sys.argv[1]](Path(sys.argv[2]))
