"""Reading foreign files: their text, JSON with its line at fault, and numbers that make sense as times."""

from __future__ import annotations

import json
import math
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ....errors import TableError, UserError


def read_text(path: Path) -> str:
    """A file as text, in UTF-8 or, with its mark, in the UTF-16 of PowerShell; UserError where it is none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    wide = data.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path} cannot be read as text; save it as UTF-8") from None


def parse_json(text: str, path: Path) -> Any:
    """Raises TableError with the line at fault; a key twice in one object is a fault."""
    try:
        return json.loads(text, object_pairs_hook=_without_duplicates)
    except json.JSONDecodeError as error:
        raise TableError(f"{path} line {error.lineno} is not valid JSON ({error.msg})") from None
    except (ValueError, RecursionError) as error:
        raise TableError(f"{path} is not valid JSON ({error})") from None


def _without_duplicates(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"a key stands twice in one object: {', '.join(key for key, _ in pairs)}")
    return found


def number(record: Mapping[str, Any], key: str, place: str) -> float:
    """A finite number in a JSON object."""
    value = record.get(key)
    if type(value) not in (int, float):
        raise TableError(f"{place}.{key} is {_shown(value)}, not a number")
    return finite(value, f"{place}.{key}")


def finite(value: Any, place: str) -> float:
    """A number, or the text of one, that is finite."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        raise TableError(f"{place} is {_shown(value)}, not a number") from None
    if not math.isfinite(found):
        raise TableError(f"{place} is {found}; it must be finite")
    return found


def time_above_zero(value: float, place: str) -> float:
    if value <= 0:
        raise TableError(f"{place} is {value:g}; a time must be above zero")
    return value


def _shown(value: Any) -> str:
    if value is None:
        return "missing"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]} ..."
