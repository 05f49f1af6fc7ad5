"""Columns: which column of a file of latencies holds what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...errors import UserError
from ..csv_file import unit_of

NAMED = ("network", "latency", "digest", "device", "setting", "resolution", "classes")
"""The fields of a row that a user can name the column of."""


@dataclass(frozen=True)
class Columns:
    """Which column of a file holds a field, where its name is another; `unit` is that of the latency."""

    names: Mapping[str, str] = field(default_factory=dict)
    unit: str | None = None

    def of(self, name: str) -> str:
        """The column of a field, by its own name where no other was given."""
        return self.names.get(name, "latency_ms" if name == "latency" else name)


def parse_columns(text: str) -> Columns:
    """The columns in `network=arch,latency=lat_us`; a unit follows its column, as in `latency=lat:us`."""
    names: dict[str, str] = {}
    unit = None
    for part in text.split(","):
        name, _, column = (piece.strip() for piece in part.partition("="))
        if name not in NAMED or not column:
            raise UserError(
                f"'{part.strip()}' names no column; write {NAMED[0]}=COLUMN, {NAMED[1]}=COLUMN or one of "
                f"{', '.join(NAMED[2:])}, with commas between"
            )
        if name in names:
            raise UserError(f"'{text}' names the column of {name} twice")
        if name == "latency":
            column, unit = _with_unit(column)
        names[name] = column
    return Columns(names, unit)


def with_options(columns: Columns | None, **given: str | None) -> Columns:
    """The columns of `--columns` with those that options of their own name; raises where both name one."""
    columns = columns or Columns()
    own = {name: column for name, column in given.items() if column is not None}
    for name, column in own.items():
        if columns.names.get(name, column) != column:
            raise UserError(
                f"--columns says {name}={columns.names[name]}, but --{name}-column {column}; give one of them"
            )
    return Columns({**columns.names, **own}, columns.unit)


def _with_unit(text: str) -> tuple[str, str]:
    column, colon, given = text.rpartition(":")
    if not colon:
        column, given = text, ""
    own = unit_of(column)
    if given and given not in ("ns", "us", "ms", "s"):
        raise UserError(f"'{given}' is no unit of latencies; use ns, us, ms or s")
    if given and own and given != own:
        raise UserError(f"the column '{column}' says {own} by its name, not {given}")
    if not given and not own:
        raise UserError(f"the column '{column}' does not say its unit; add it, as in latency={column}:ms")
    return column, given or own or ""
