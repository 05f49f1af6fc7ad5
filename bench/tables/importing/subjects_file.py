"""What each file measured: a network or a workload's key, from options or a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ....errors import UserError
from ....zen.network import Network
from ....zen.workload import Workload
from ...csv_file import CsvFile, Record, read_csv
from ...networks.reading import networks_only, read
from .importing import ImportedFile


def subject(text: str, resolution: int | None, classes: int | None) -> Network | Workload:
    """A workload where the text has the form of its key (`...@28`), else a network."""
    if "@" in text:
        if resolution or classes:
            raise UserError(f"'{text}' says its size itself; leave --resolution and --classes out")
        return Workload.parse(text.strip())
    (network,) = networks_only([read(text, resolution, classes)], "the subject of a table")
    return network


def all_with(
    files: Sequence[Path], text: str, resolution: int | None, classes: int | None
) -> list[ImportedFile]:
    """Every file as a measurement of one subject."""
    item = subject(text, resolution, classes)
    return [ImportedFile(path, item) for path in files]


def read_subjects(path: Path) -> list[ImportedFile]:
    """The files that a CSV file lists, beside it where not absolute, with their subjects.

    Columns: `file`, `subject`, and `resolution` and `classes` where a network is at others than its own.
    """
    table = read_csv(path)
    table.need("file", "subject")
    if not table.records:
        raise UserError(f"{path} lists no files; it needs the columns file and subject")
    return [_given(table, record) for record in table.records]


def _given(table: CsvFile, record: Record) -> ImportedFile:
    file, text = (table.text(record, name) for name in ("file", "subject"))
    if not file or not text:
        raise UserError(f"{table.place(record)} needs a file and a subject")
    resolution, classes = (table.whole(record, name) for name in ("resolution", "classes"))
    try:
        item = subject(text, resolution, classes)
    except UserError as error:
        raise UserError(f"{table.place(record)}: {error}") from None
    return ImportedFile(table.path.parent / file, item)
