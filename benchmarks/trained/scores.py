"""What is known of each network before its training: `python benchmarks/trained/scores.py [MEASURED]`.

Writes scores.csv: every proxy and every candidate rule of every network of networks.csv. MEASURED is the
file of `zenbench measure --networks structures.txt --resolution 32 --classes 10 --out MEASURED`, and gives
the latency on the host. Networks that the file has are left out, so that it goes on.
"""

import csv
import sys
from pathlib import Path

from networks import FOLDER, network_of
from rules import RULES
from zenbench.errors import UserError
from zenbench.zen.network import Network
from zenbench.zen.proxies import PROXIES, score

SCORES = FOLDER / "scores.csv"
_LEFT_OUT = ("random", "synflow-reference", "zen-closed", "flops", "params")
"""Proxies that say nothing, or what a rule says."""


def of(network: Network) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in PROXIES:
        if name not in _LEFT_OUT:
            try:
                found[f"proxy {name}"] = f"{score(network, name, seed=0).value:.7g}"
            except UserError:
                found[f"proxy {name}"] = ""  # it overflows
    return {**found, **{name: f"{rule(network):.7g}" for name, rule in RULES.items()}}


def latencies(path: str) -> dict[str, str]:
    with Path(path).open(newline="") as file:
        return {row["digest"]: row["latency_ms"] for row in csv.DictReader(file)}


def main(measured: str | None = None) -> None:
    with (FOLDER / "networks.csv").open(newline="") as file:
        networks = list(csv.DictReader(file))
    known: dict[str, dict[str, str]] = {}
    if SCORES.exists():
        with SCORES.open(newline="") as file:
            known = {row["network"]: row for row in csv.DictReader(file)}
    taken = latencies(measured) if measured else {}
    rows: list[dict[str, object]] = []
    for row in networks:
        network = network_of(row["network"])
        scores = known.get(row["network"]) or of(network)
        given = {
            name: row[name] for name in ("budget", "origin", "source", "half", "layers", "macs", "params")
        }
        latency = taken.get(network.digest) or scores.get("host_onnxruntime_ms", "")
        rows.append({**given, **scores, **given, "host_onnxruntime_ms": latency, "network": row["network"]})
        with SCORES.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
