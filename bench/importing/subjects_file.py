"""What each file measured: a network or a workload's key, from options or a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...errors import UserError
from ...zen.network import Network
from ...zen.workload import Workload
from ..networks import networks_only, read
from .fields import read_text
from .measured import Given


def subject(text: str, resolution: int | None, classes: int | None) -> Network | Workload:
    """A workload where the text has the form of its key (`...@28`), else a network."""
    if "@" in text:
        if resolution or classes:
            raise UserError(f"'{text}' says its size itself; leave --resolution and --classes out")
        return Workload.parse(text.strip())
    (network,) = networks_only([read(text, resolution, classes)], "the subject of a table")
    return network


def all_with(files: Sequence[Path], text: str, resolution: int | None, classes: int | None) -> list[Given]:
    """Every file as a measurement of one subject."""
    item = subject(text, resolution, classes)
    return [Given(path, item) for path in files]


def read_subjects(path: Path) -> list[Given]:
    """The files that a CSV file lists, beside it where not absolute, with their subjects.

    Columns: `file`, `subject`, and `resolution` and `classes` where a network is at others than its own.
    """
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        found = list(_rows(reader, path))
    except csv.Error as error:
        raise UserError(f"{path} line {reader.line_num} is not valid CSV: {error}") from None
    if not found:
        raise UserError(f"{path} lists no files; it needs the columns file and subject")
    return found


def _rows(reader: csv.DictReader[str], path: Path) -> Iterator[Given]:
    if not {"file", "subject"} <= set(reader.fieldnames or ()):
        raise UserError(f"{path} needs the columns file and subject")
    for row in reader:
        place = f"{path} line {reader.line_num}"
        file, text = (row[name] or "" for name in ("file", "subject"))
        sizes = [row.get(name) or None for name in ("resolution", "classes")]
        if not file or not text or not all(size is None or size.isdecimal() for size in sizes):
            raise UserError(f"{place} needs a file, a subject, and whole numbers for its sizes")
        resolution, classes = (int(size) if size else None for size in sizes)
        try:
            item = subject(text, resolution, classes)
        except UserError as error:
            raise UserError(f"{place}: {error}") from None
        yield Given(path.parent / file, item)
