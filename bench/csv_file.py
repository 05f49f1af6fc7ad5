"""Reading CSV files, ours and foreign: tolerant where nothing is ambiguous, else file, line and reason."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import TableError
from ..quantities import LONGEST_MS, SHORTEST_MS, parse_duration_ms

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_LINE_END = re.compile(r"\r\n|\r|\n")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WITH_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
"""What reads as thousands as well as with a decimal comma."""
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_WHOLE = re.compile(r"0*([1-9]\d{0,17})(?:\.0*)?", re.ASCII)
"""With a point too, as pandas writes whole numbers beside empty cells."""
_UNIT = re.compile(r"(?:^|[_\s(\[])(ns|us|µs|ms|s)[)\]]?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Record:
    """One row: the line it begins on, and its cells by column, without the space around them."""

    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True)
class CsvFile:
    """A file's columns and rows; what a cell holds is asked by record and column.

    `decimal_commas`: columns whose numbers are written as `1,5`. Every fault is a TableError.
    """

    path: Path
    columns: tuple[str, ...]
    records: tuple[Record, ...]
    decimal_commas: frozenset[str]

    def need(self, *columns: str) -> None:
        """Raises where a column is missing."""
        missing = [name for name in columns if name not in self.columns]
        if missing:
            raise TableError(
                f"{self.path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; "
                f"it has {', '.join(self.columns) or 'none'}"
            )

    def place(self, record: Record) -> str:
        """File and line, for a message."""
        return f"{self.path}, line {record.line}"

    def text(self, record: Record, column: str) -> str:
        """The cell; empty where it is, or where there is no such column."""
        return record.cells.get(column, "")

    def number(self, record: Record, column: str) -> float | None:
        """A finite number; None where the cell is empty or there is no such column."""
        cell = self.text(record, column)
        if not cell:
            return None
        digits = cell.replace(",", ".") if column in self.decimal_commas else cell
        if _NUMBER.fullmatch(digits):
            value = float(digits)
        elif _NOT_FINITE.fullmatch(cell):
            value = math.nan
        else:
            reason = "not a number"
            if _WITH_COMMA.fullmatch(cell):
                reason = "a number that can be read in two ways; write it with a point"
            raise TableError(f"{self.place(record)}: {column} is '{cell}', {reason}")
        if not math.isfinite(value):
            raise TableError(f"{self.place(record)}: {column} is {cell}; it must be finite")
        return value

    def whole(self, record: Record, column: str) -> int | None:
        """A whole number above 0; None where the cell is empty or there is no such column."""
        cell = self.text(record, column)
        if not cell:
            return None
        match = _WHOLE.fullmatch(cell)
        if match is None:
            raise TableError(f"{self.place(record)}: {column} is '{cell}', not a whole number above 0")
        return int(match[1])

    def unit(self, column: str) -> str:
        """The unit that a column's name ends with; raises where it has none."""
        unit = unit_of(column)
        if unit is None:
            raise TableError(
                f"the column {column} of {self.path} does not say its unit; "
                "let its name end with _us, _ms or _s"
            )
        return unit

    def latency_ms(self, record: Record, column: str, unit: str | None = None) -> float:
        """Milliseconds above 0, from a column in `unit`, by default the one that its name ends with."""
        unit = unit or self.unit(column)
        value = self.number(record, column)
        if value is None:
            raise TableError(f"{self.place(record)} has no {column}")
        ms = value * parse_duration_ms(f"1{unit}")
        if not SHORTEST_MS <= ms <= LONGEST_MS:
            possible = "above 0" if value <= 0 else f"from a picosecond to eleven days, and is read in {unit}"
            raise TableError(
                f"{self.place(record)}: {column} is {self.text(record, column)}, an impossible latency; "
                f"it must be {possible}"
            )
        return ms


def unit_of(column: str) -> str | None:
    """The unit that a column's name ends with, as in `latency_us` or `latency (ms)`; None without one."""
    found = [match for match in _UNIT.finditer(column) if match.end() == len(column)]
    return found[-1][1].casefold().replace("\N{GREEK SMALL LETTER MU}s", "us") if found else None


def read_csv(path: Path) -> CsvFile:
    """The file, split at the commas, semicolons or tabs that give its header the most columns.

    A byte-order mark, any line ends, line breaks in quotes, empty rows and columns without a name are
    harmless. Raises TableError for what is no such file, ragged rows and a column that stands twice.
    """
    text = _text(path)
    delimiter = _delimiter(text, path)
    rows = _rows(text, delimiter, path)
    header_line, header = next(rows, (1, []))
    columns = tuple(name for name in header if name)
    twice = [name for name in columns if columns.count(name) > 1]
    if twice:
        raise TableError(f"{path}, line {header_line} has the column {twice[0]} more than once")
    records = []
    for line, cells in rows:
        if len(cells) != len(header):
            raise TableError(
                f"{path}, line {line} has another number of cells than the header: "
                f"{len(cells)}, not {len(header)}"
            )
        by_column = {name: cell for name, cell in zip(header, cells, strict=True) if name}
        records.append(Record(line, by_column))
    commas = () if delimiter == "," else (name for name in columns if _has_decimal_commas(name, records))
    return CsvFile(path, columns, tuple(records), frozenset(commas))


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise TableError(f"there is no file {path}") from None
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = _line(data[: error.start].decode("latin-1"))
        raise TableError(f"{path}, line {line} cannot be read as UTF-8; save the file as UTF-8") from None
    if "\0" in text:
        line = _line(text[: text.index("\0")])
        raise TableError(f"{path}, line {line} holds a NUL character; it is no text file, or damaged")
    return text


def _line(text_before: str) -> int:
    return len(_LINE_END.findall(text_before)) + 1


def _delimiter(text: str, path: Path) -> str:
    widths = {}
    for delimiter in _DELIMITERS:
        try:
            _, header = next(_rows(text, delimiter, path), (1, []))
        except TableError:  # not split here: a quote is followed by another delimiter
            header = []
        widths[delimiter] = len(header)
    most = max(widths.values())
    best = [delimiter for delimiter, width in widths.items() if width == most]
    if most > 1 and len(best) > 1:
        names = " as at ".join(_DELIMITERS[delimiter] for delimiter in best)
        raise TableError(f"the header of {path} splits into {most} columns at {names}; use one of them")
    return best[0]


def _rows(text: str, delimiter: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Each row that holds anything, with the line it begins on."""
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            raise TableError(f"{path}, line {line} is not valid CSV: {error}") from None
        if any(cells):
            yield line, cells


def _has_decimal_commas(column: str, records: Sequence[Record]) -> bool:
    """Whether commas in a column can only be decimal ones: no number has a point, one is no thousands."""
    cells = [record.cells[column] for record in records]
    with_comma = [cell for cell in cells if _WITH_COMMA.fullmatch(cell)]
    with_point = any("." in cell and _NUMBER.fullmatch(cell) for cell in cells)
    return not with_point and any(not _THOUSANDS.fullmatch(cell) for cell in with_comma)
