"""Tables of earlier versions, whose blocks were timed alone: kept beside the one that takes their place."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from ...devices.base import Device, Setting
from ...errors import UserError
from ...latency_tables.table_files import card_path, networks_path
from ..measuring.journal import Journal, check_same_machine, journal_path


def set_aside(path: Path, device: Device, setting: Setting) -> Path | None:
    """Renames the files of a table to `<name>.alone.csv` and so on where its journal holds blocks timed
    alone; the table's new path, None where there was nothing to rename.

    The journal goes last: what is interrupted is taken up again. Raises UserError while another process
    writes to the journal, TableError where it cannot be read or is of another setting or machine.
    """
    journal = journal_path(path)
    if not journal.exists():
        return None
    with Journal(journal) as locked:
        check_same_machine(locked.history, device, setting)
        if not locked.history.sessions or locked.history.basis != "alone":
            return None
        kept = next(place for place in _names(path) if not _would_overwrite(path, place))
        for file_of in _FILES:
            if file_of(path).exists():
                _rename(file_of(path), file_of(kept))
    return kept


def _rename(path: Path, place: Path) -> None:
    try:
        path.replace(place)
    except OSError as error:
        raise UserError(f"{path} cannot be renamed to {place.name}: {error.strerror}") from None


_FILES = (card_path, Path, networks_path, journal_path)
"""Of a table at a path, in the order in which they are renamed."""


def _would_overwrite(path: Path, place: Path) -> bool:
    return any(file_of(path).exists() and file_of(place).exists() for file_of in _FILES)


def _names(path: Path) -> Iterator[Path]:
    yield path.with_suffix(".alone.csv")
    for number in count(2):
        yield path.with_suffix(f".alone-{number}.csv")
