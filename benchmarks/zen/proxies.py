"""The training-free proxies on the golden networks: value, spread, seconds and agreement, as Markdown.

`python benchmarks/zen/proxies.py [--repeats 8] [--seed 0]`, from the repository root: the tables of
docs/proxies.md. It takes a minute on one core.
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from itertools import combinations
from math import sqrt
from pathlib import Path
from typing import Any

from zenbench.errors import UserError
from zenbench.zen.families import zoo, zoo_names
from zenbench.zen.graph import Conv, Graph
from zenbench.zen.network import parse_text
from zenbench.zen.proxies.base import Score
from zenbench.zen.proxies.counts import flops, params, random
from zenbench.zen.proxies.entropy import entropy
from zenbench.zen.proxies.grad_norm import grad_norm
from zenbench.zen.proxies.naswot import naswot
from zenbench.zen.proxies.phi import phi, phi_by_depth
from zenbench.zen.proxies.regions import regions
from zenbench.zen.proxies.synflow import synflow
from zenbench.zen.proxies.te import te

GOLDEN: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "tests" / "data" / "proxies.json").read_text("utf-8")
)
ROWS: list[tuple[str, Callable[..., Score], int, str]] = [
    ("naswot, batch 8", naswot, 8, "naswot_b8"),
    ("naswot, batch 16", naswot, 16, "naswot_b16"),
    ("synflow, reference form", partial(synflow, reference_sign=True), 16, "synflow"),
    ("synflow", synflow, 16, ""),
    ("grad-norm, batch 16", grad_norm, 16, "gradnorm_b16"),
    ("grad-norm, batch 64", grad_norm, 64, "gradnorm_b64"),
    ("te, batch 16", te, 16, "ntk_b16"),
    ("regions, batch 16", regions, 16, ""),
    ("phi, batch 16", phi, 16, ""),
    ("flops", flops, 16, ""),
    ("params", params, 16, ""),
    ("random", random, 16, ""),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    graphs = {
        name: parse_text(row["structure"], row["resolution"], row["classes"]).graph()
        for name, row in GOLDEN.items()
    }
    print("| proxy | network | value | std | s a repeat | golden | std | difference |")
    print("|---|---|---|---|---|---|---|---|")
    summaries = []
    for label, proxy, batch, column in ROWS:
        scores: dict[str, Score] = {}
        for name, graph in graphs.items():
            try:
                scores[name] = proxy(graph, batch, options.repeats, options.seed)
            except UserError:
                print(f"| {label} | {name} | none | | | | | |")
            else:
                golden = golden_cells(scores[name], GOLDEN[name].get(column))
                print(f"| {label} | {name} | {score_cells(scores[name])} | {golden} |", flush=True)
        summaries.append(f"| {label} | {summary_cells(scores, column)} |")
    print("\n| proxy | std / value | pairs in golden order |\n|---|---|---|", *summaries, sep="\n")
    print("\n| network | log Delta after layer 10 | 20 | 30 | 40 | layers before fp32 overflows |")
    print("|---|---|---|---|---|---|")
    for name, graph in graphs.items():
        print(f"| {name} | {depth_cells(graph)} |")
    print("\n| network | entropy |\n|---|---|")
    for name in zoo_names():
        try:
            print(f"| {name} | {entropy(zoo(name).graph()).value:.1f} |")
        except UserError:
            print(f"| {name} | none |")


def score_cells(score: Score) -> str:
    return f"{score.value:.5g} | {score.std or 0:.2g} | {score.seconds / score.repeats:.2g}"


def golden_cells(score: Score, golden: dict[str, float] | None) -> str:
    if golden is None:
        return "| |"
    difference = score.value - golden["mean"]
    error = sqrt((score.sem or 0) ** 2 + golden["std"] ** 2 / golden["n"])
    distance = f"{difference / abs(golden['mean']):+.1%}, {difference / error:+.1f} standard errors"
    return f"{golden['mean']:.5g} | {golden['std']:.2g} | {distance}"


def summary_cells(scores: dict[str, Score], column: str) -> str:
    spreads = [(score.std or 0) / abs(score.value) for score in scores.values()]
    spread = f"{min(spreads):.2%} to {max(spreads):.2%}"
    if not column:
        return f"{spread} |"
    pairs = list(combinations(scores, 2))
    alike = sum(
        (scores[one].value > scores[other].value)
        == (GOLDEN[one][column]["mean"] > GOLDEN[other][column]["mean"])
        for one, other in pairs
    )
    return f"{spread} | {alike} of {len(pairs)}"


def depth_cells(graph: Graph) -> str:
    profile = phi_by_depth(graph)
    shown = [f"{profile[depth - 1]:.1f}" if depth <= len(profile) else "" for depth in (10, 20, 30, 40)]
    layers = sum(isinstance(op, Conv) for op in graph.trunk().ops)
    return f"{' | '.join(shown)} | {len(profile)} of {layers}"


if __name__ == "__main__":
    main()
