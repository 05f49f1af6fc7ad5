"""Answers on standard output (table, JSON or CSV), talk on standard error."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One column of a text table: a record's key, its heading, and how to write a value."""

    key: str
    heading: str
    show: Callable[[Any], str] = str
    right: bool = True


def _shortened(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else f"{text[: limit - 20]} ... {text[-15:]}"


NETWORK_COLUMN = Column("network", "network", _shortened, right=False)
"""Structures are long: a text table shows their ends; JSON and CSV hold them whole."""


def answer(records: Sequence[Record], columns: Sequence[Column], style: str) -> None:
    """Prints records: all keys as JSON or CSV, the chosen columns as a table."""
    if style == "json":
        click.echo(json.dumps(list(records), indent=2, allow_nan=False))
    elif style == "csv":
        keys = list(dict.fromkeys(key for record in records for key in record))
        writer = csv.DictWriter(sys.stdout, keys, lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    else:
        show_table(records, columns)


def show_table(records: Sequence[Record], columns: Sequence[Column], err: bool = False) -> None:
    """A text table; a column without any value is left out."""
    from rich import box  # noqa: PLC0415 - slow to load
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

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
    console = Console(stderr=err, markup=False, highlight=False)
    # Without a terminal there is no width to fit: a line holds a whole record, for grep and diff.
    console.print(table, width=None if console.is_terminal else 10_000, crop=False)


def say(text: str) -> None:
    """Talk: to standard error."""
    click.echo(text, err=True)
