"""The page docs/networks.md: every known network, its sizes as counted here and as published.

`python benchmarks/zen/networks.py > docs/networks.md`
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from zenbench.quantities import format_count
from zenbench.zen.cost import cost
from zenbench.zen.families import FAMILIES, Family, zoo
from zenbench.zen.families.aliases import ALIASES

Row = dict[str, str]

PUBLISHED = Path(__file__).parents[2] / "tests" / "data" / "published_networks.csv"

INTRODUCTION = """\
# The known networks

`zoo:NAME` reads as a network at its own resolution, with 1000 classes (the CIFAR ZenNets 100). Counted is
what `zenbench cost` counts: MACs of convolutions and linear layers, parameters of these and of batch norm;
layers are those with weights on the main path, of ZenNets the sum of their structure's layer numbers.
Published is parameters / MACs as printed there; figures agree within 1 % or their rounding unless a note
below says why not. A source without an arXiv number is a GitHub repository or torchvision's documentation.

`python benchmarks/zen/networks.py > docs/networks.md` writes this page."""

LEFT_OUT = """\
## Left out

| network | why |
|---|---|
| OFANet-9ms, -11ms, -389M, -482M | paper and README of mit-han-lab/once-for-all print their sizes only; \
their layers come with the weights to download and were found printed nowhere |

Of Zen-NAS's table 7, `(+)` and `*` behind an OFANet's name tell how it was trained; the network is one."""


def main() -> None:
    with PUBLISHED.open() as file:
        published = defaultdict(list)
        for row in csv.DictReader(file):
            published[row["network"]].append(row)
    print(
        "\n\n".join([INTRODUCTION, *(section(family, published) for family in FAMILIES), aliases(), LEFT_OUT])
    )


def aliases() -> str:
    """The names that timm and torchvision have for them."""
    names: dict[str, list[str]] = {}
    for theirs, ours in ALIASES.items():
        names.setdefault(ours, []).append(f"`{theirs}`")
    return "\n".join(
        [
            "## What timm and torchvision call them",
            "",
            "These names are read too, with timm's tag of the weights or without: `resnet50.a1_in1k` is",
            "`zoo:resnet-50`. "
            "The networks are the same, parameter for parameter; others of a like name are not.",
            "",
            "| network | there |",
            "|---|---|",
            *(f"| `{ours}` | {', '.join(theirs)} |" for ours, theirs in names.items()),
        ]
    )


def section(family: Family, published: dict[str, list[Row]]) -> str:
    title = (family.__doc__ or "").partition("\n")[0].rstrip(".")
    lines = [
        f"## {title}",
        "",
        f"Configuration: {family.SOURCE}.",
        "",
        "| network | resolution | layers | parameters | MACs | published |",
        "|---|---|---|---|---|---|",
    ]
    for name in family.names():
        network = zoo(name)
        counted = cost(network)
        cells = (
            f"`{name}`",
            network.resolution,
            counted.layers,
            format_count(counted.params),
            format_count(counted.macs),
            "; ".join(map(figures, published[name])),
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join([*lines, *notes(row for name in family.names() for row in published[name])])


def figures(row: Row) -> str:
    return f"{row['params'] or '-'} / {row['macs'] or '-'} ({row['source']})"


def notes(rows: Iterable[Row]) -> Iterator[str]:
    """One line a note, with the networks and the source that it is about."""
    subjects: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for note in filter(None, (row["params_note"], row["macs_note"])):
            subjects.setdefault((row["source"], note), []).append(f"`{row['network']}`")
    if subjects:
        yield ""
    for (source, note), networks in subjects.items():
        yield f"- {', '.join(networks)}, {source}: {note}."


if __name__ == "__main__":
    main()
