"""What a chart of the report draws, read back."""

from typing import Any

from zenbench.bench.charts.style import Chart


def values(chart: Chart, field: str) -> list[Any]:
    """Every value that a chart's data holds under a name."""
    layers = [chart, *chart["layer"]]
    rows = [row for layer in layers for row in layer.get("data", {}).get("values", [])]
    return [row[field] for row in rows if field in row]
