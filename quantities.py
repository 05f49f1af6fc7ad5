"""Durations and counts as people write them: `11ms`, `3m`, `600M`, `1.5G`, `10%`."""

from __future__ import annotations

import math
import re

from .errors import UserError

SHORTEST_MS, LONGEST_MS = 1e-9, 1e9
"""A picosecond and eleven days: no latency is outside."""
_MILLISECONDS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "min": 6e4, "h": 3.6e6}
_COUNTS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9, "t": 10**12}
_NUMBER = re.compile(r"\s*([0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?)\s*([a-zµ%]*)\s*", re.IGNORECASE)


def parse_duration_ms(text: str, *, zero: bool = False) -> float:
    """Milliseconds in `11ms`, `0.5s`, `300us`, `3m` or `1h`; a unit is required, less than zero refused, and
    zero too unless it is allowed."""
    value, unit = _split(text, "a duration", "11ms, 0.5s or 3m")
    factor = _MILLISECONDS.get(unit.casefold().replace("\N{GREEK SMALL LETTER MU}s", "us"))
    if factor is None:
        problem = "has no unit" if not unit else f"has the unknown unit '{unit}'"
        raise UserError(f"duration '{text}' {problem}; write it like 11ms, 0.5s or 3m")
    return 0.0 if zero and value == 0 else _positive(value * factor, text)


def parse_count(text: str) -> int:
    """Whole number in `400M`, `1.5G`, `96k` or `96000`; suffixes are decimal, zero and less refused."""
    value, unit = _split(text, "a count", "400M, 1.5G or 96000")
    factor = _COUNTS.get(unit.lower())
    if factor is None:
        raise UserError(f"count '{text}' has the unknown suffix '{unit}'; use k, M, G or T, as in 400M")
    return max(1, round(_positive(value * factor, text)))


def parse_share(text: str) -> float:
    """Fraction in `10%` or `0.1`."""
    value, unit = _split(text, "a share", "10% or 0.1")
    if unit not in ("", "%"):
        raise UserError(f"share '{text}' has the unknown unit '{unit}'; write it like 10% or 0.1")
    return _positive(value / 100 if unit else value, text)


def format_ms(ms: float) -> str:
    """A duration with three significant digits and its best unit: `870 us`, `11.3 ms`, `2.05 s`."""
    if ms < 1e-3:
        return f"{ms * 1e6:.3g} ns"
    if ms < 1:
        return f"{ms * 1e3:.3g} us"
    return f"{ms:.3g} ms" if ms < 999.5 else f"{ms / 1e3:.3g} s"


def format_count(count: float) -> str:
    """A count with three or four significant digits: `546.6k`, `1.041M`, `22.0G`."""
    for suffix, factor in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= factor:
            return f"{count / factor:.4g}{suffix}"
    return f"{count:g}"


def count_of(count: int, what: str) -> str:
    """A count with what is counted: `1 network`, `12 networks`."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def _split(text: str, what: str, examples: str) -> tuple[float, str]:
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise UserError(f"'{text}' is not {what}; write it like {examples}")
    return float(match[1]), match[2]


def _positive(value: float, text: str) -> float:
    if not (value > 0 and math.isfinite(value)):
        raise UserError(f"'{text}' must be more than zero and finite")
    return value
