"""Accuracy against the Zen-Score by budget, as docs/figures/trained.png.

`python benchmarks/trained/figure.py`.
"""

import csv
from pathlib import Path

from networks import BUDGETS, FOLDER, network_of
from rules import shape, zen
from zenbench.bench.charts.figure_file import write_chart
from zenbench.bench.charts.style import LIGHT, Chart, axis, panels, rows

PICTURE = Path(__file__).parents[2] / "docs" / "figures" / "trained.png"
WIDTHS = ("8", "16", "24 or more")


def _dots(budget: str) -> list[dict[str, object]]:
    with (FOLDER / "trained.csv").open(newline="") as file:
        trained = [row for row in csv.DictReader(file) if row["stage"] == "networks"]
    found = []
    for row in trained:
        if row["budget"] == budget:
            network = network_of(row["network"])
            width = shape(network).least_width
            found.append(
                {
                    "score": zen(network),
                    "accuracy": 100 * float(row["held_out"]),
                    "width": WIDTHS[min(width // 8, 3) - 1],
                    "origin": row["origin"],
                }
            )
    return found


def _panel(budget: str) -> Chart:
    dots = _dots(budget)
    limits = BUDGETS[budget]
    return {
        "width": 330,
        "height": 300,
        "title": f"{(limits.macs or 0) / 1e6:.0f}M MACs, {(limits.params or 0) / 1e3:.0f}k parameters: "
        f"{len(dots)} networks",
        "data": rows(dots),
        "mark": {"type": "point", "size": 60, "filled": True, "opacity": 0.8},
        "encoding": {
            "x": axis("score", "Zen-Score, closed form", scale={"zero": False}),
            "y": axis("accuracy", "top-1 on held-out images, %", scale={"zero": False}),
            "color": {
                "field": "width",
                "type": "nominal",
                "title": "channels of the narrowest block",
                "scale": {"domain": list(WIDTHS), "range": [LIGHT.poor, LIGHT.fair, LIGHT.good]},
            },
            "shape": {"field": "origin", "type": "nominal", "title": "network"},
        },
    }


if __name__ == "__main__":
    write_chart(PICTURE, panels(LIGHT, [_panel(budget) for budget in BUDGETS], len(BUDGETS)))
