"""Where tables live, and which one answers for a setting: the user's own first, then the shipped ones."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from ..devices.base import Setting, profile_command
from ..errors import TableError
from ..home import home
from .table import LatencyTable
from .table_files import card_path


def user_path(setting: Setting) -> Path:
    """Where a profile of this setting keeps its table."""
    return home() / "tables" / setting.device / f"{setting.file_stem}.csv"


def all_paths() -> Iterator[Path]:
    """Every table there is, the user's before the shipped ones."""
    for folder in (home() / "tables", _shipped()):
        for path in sorted(folder.glob("*/*.csv")):
            if not path.name.endswith(".networks.csv"):
                yield path


def find(setting: Setting) -> LatencyTable:
    """The table for a setting; raises TableError with the command that makes one."""
    own = user_path(setting)
    return LatencyTable.load(own) if own.exists() or card_path(own).exists() else shipped(setting)


def shipped(setting: Setting) -> LatencyTable:
    """The table for a setting that came with zenbench; raises TableError with the command that makes one."""
    path = _shipped() / setting.device / f"{setting.file_stem}.csv"
    if path.exists() or card_path(path).exists():
        return LatencyTable.load(path)
    there = sorted(one.stem for one in path.parent.glob("*.json"))
    others = f" (shipped for {setting.device}: {', '.join(there)})" if there else ""
    raise TableError(
        f"there is no latency table for {setting.device} {setting.file_stem}{others}; "
        f"build one with: {profile_command(setting)}"
    )


def _shipped() -> Path:
    return Path(str(files(__package__))) / "data"
