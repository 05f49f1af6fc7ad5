"""Answers on standard output (table, JSON or CSV), talk on standard error."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click

from ...latency_files.latency_rows import LatencyRow
from ...networks.model_file import FileSubject
from ...networks.reading import NetworkLike

OutputRecord = Mapping[str, Any]
FOR_PEOPLE = ("label", "block", "forward")
LABEL_WIDTH = 52
WIDE = 1000
NARROW = 16


@dataclass(frozen=True)
class Column:
    """One column of a text table: a record's key, its heading, and how to write a value."""

    key: str
    heading: str
    show: Callable[[Any], str] = str
    right: bool = True


NETWORK_COLUMN = Column("label", "network", right=False)
"""Structures are long: a text table shows a name or their ends; JSON and CSV hold them whole."""


def label(network: NetworkLike | str) -> str:
    """A network's name where it has one, else its structure, shortened."""
    name = None if isinstance(network, str | FileSubject) else network.name
    # A file may hold what a terminal obeys.
    text = "".join(one if one.isprintable() else "?" for one in name or str(network))
    return text if len(text) <= LABEL_WIDTH else f"{text[: LABEL_WIDTH - 22]} ... {text[-17:]}"


def row_record(row: LatencyRow, item: NetworkLike) -> OutputRecord:
    """A latency row as a record: what it holds, and a label for text tables."""
    values = {key: value for key, value in asdict(row).items() if value is not None}
    return {"label": label(item), **values}


def answer(records: Sequence[OutputRecord], columns: Sequence[Column], style: str) -> None:
    """Prints records: all keys but those for people as JSON or CSV, the chosen columns as a table."""
    whole = [{key: value for key, value in record.items() if key not in FOR_PEOPLE} for record in records]
    if style == "json":
        click.echo(json.dumps(whole, indent=2, allow_nan=False))
    elif style == "csv":
        keys = list(dict.fromkeys(key for record in whole for key in record))
        writer = csv.DictWriter(sys.stdout, keys, lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in record.items()} for record in whole)
    else:
        show_table(records, columns)


def _cell(value: Any) -> Any:
    """What a CSV cell holds: nested values as JSON."""
    return json.dumps(value) if isinstance(value, list | tuple | dict) else value


def show_table(records: Sequence[OutputRecord], columns: Sequence[Column], err: bool = False) -> None:
    """A text table; a column without any value is left out. Where it is too wide, a paragraph a record."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    shown = [column for column in columns if any(record.get(column.key) is not None for record in records)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for column in shown:
        table.add_column(
            column.heading,
            justify="right" if column.right else "left",
            no_wrap=column.right,
            overflow="fold",
        )
    for record in records:
        cells = (record.get(column.key) for column in shown)
        table.add_row(
            *("" if cell is None else column.show(cell) for cell, column in zip(cells, shown, strict=True))
        )
    stream = sys.stderr if err else sys.stdout
    # Without a terminal there is no width to fit: a line holds a whole record, for grep and diff.
    console = Console(file=stream, width=None if stream.isatty() else WIDE, markup=False, highlight=False)
    if console.width >= sum(_least_width(column, records) for column in shown):
        console.print(table)
    else:
        for record in records:
            said = ((c.heading, c.show(record[c.key])) for c in shown if record.get(c.key) is not None)
            lines = (f"{heading}: {text}" if heading else text for heading, text in said)
            console.print("\n".join(lines), end="\n\n", soft_wrap=True)


def _least_width(column: Column, records: Sequence[OutputRecord]) -> int:
    """Characters below which a column is no longer readable: numbers whole, text folded at some point."""
    cells = [column.heading, *(column.show(r[column.key]) for r in records if r.get(column.key) is not None)]
    widest = max(map(len, cells))
    return 3 + (widest if column.right else min(widest, NARROW))


def say(text: str) -> None:
    """Talk: to standard error."""
    click.echo(text, err=True)
