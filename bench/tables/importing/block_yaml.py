"""Block tables in YAML, as Once-for-All and ProxylessNAS keep them: a key a block, `count`, `mean`, `std`.

The files name no unit of time; their authors' are in milliseconds. `mean` and `std` are over `count` runs;
ProxylessNAS's published tables have `var`, the square of `std`. Where a table has none of them, or no
`count`, a row is one round whose spread is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

from ....errors import NetworkError, TableError
from ....latency_tables.row import Row, Verdict
from ....latency_tables.table import LatencyTable
from ....zen.graph import PlainFunction
from ....zen.workload import Workload
from ...measuring.aggregation import NOISY_SPREAD
from .block_keys import ACTIVATIONS, Dialect, dialect_of, is_key, key_of, workload_of
from .fields import finite, time_above_zero

_MOST_RUNS = 10**9
_DIGITS = 1e-3
"""Relative rounding of a printed number, at the most."""


@dataclass(frozen=True)
class LeftOut:
    """An entry that is no workload of ours: its line, its key, and why."""

    line: int
    key: str
    reason: str


@dataclass(frozen=True)
class BlockTable:
    """What was read: rows, the entries left out, and what was assumed of keys that do not say it."""

    rows: Mapping[Workload, Row]
    left_out: tuple[LeftOut, ...]
    activation: PlainFunction
    unknown_spreads: int


def read_blocks(
    text: str, path: Path, activation: PlainFunction | None = None, unit_ms: float = 1.0
) -> BlockTable:
    """The rows of a block table; `unit_ms`: milliseconds in its unit.

    Raises TableError with the line of an impossible value or a key that stands twice, and where not one
    entry can be expressed.
    """
    entries = _entries(text, path)
    dialects = {dialect for key, *_ in entries if (dialect := dialect_of(key))}
    if activation is None:
        activation = ACTIVATIONS["mbv3" if "mbv3" in dialects else "proxyless"]
    rows: dict[Workload, Row] = {}
    lines: dict[Workload, int] = {}
    left_out: list[LeftOut] = []
    unknown = 0
    for key, line, value in entries:
        row = _row(value, f"{path} line {line}: {key}", unit_ms) if is_key(key) else None
        try:
            workload = workload_of(key, activation)
        except NetworkError as error:
            left_out.append(LeftOut(line, key, str(error)))
            continue
        if workload in rows:
            raise TableError(f"{path} line {line}: {key} stands for the same block as line {lines[workload]}")
        if row is not None:
            rows[workload], lines[workload] = row[0], line
            unknown += not row[1]
    if not rows:
        first = left_out[0]
        raise TableError(
            f"{path}: none of its {len(left_out)} entries stands for a block of ours; "
            f"line {first.line}, '{_short(first.key)}': {first.reason}"
        )
    return BlockTable(rows, tuple(left_out), activation, unknown)


def write_blocks(table: LatencyTable) -> tuple[str, list[Workload]]:
    """A table's rows as YAML, in the dialect that holds most of them, and the workloads that it cannot hold.

    Raises TableError where it holds none.
    """
    import yaml

    keys = {dialect: _keys(table, dialect) for dialect in ACTIVATIONS}
    best: Dialect = max(keys, key=lambda dialect: len(keys[dialect]))
    if not keys[best]:
        raise TableError(
            "no workload of this table has a key in such a file, which knows inverted blocks (ReLU6, ReLU, "
            "hard-swish and gates), 3x3 and 1x1 convolutions and heads; export as csv or json"
        )
    document = {
        key: {
            "count": table.rows[workload].rounds,
            "mean": float(f"{table.rows[workload].latency_ms:.7g}"),
            "std": float(f"{table.rows[workload].spread * table.rows[workload].latency_ms:.7g}"),
        }
        for workload, key in keys[best].items()
    }
    missing = [workload for workload in table.rows if workload not in keys[best]]
    return yaml.safe_dump(document, sort_keys=False, width=1000), missing


def _keys(table: LatencyTable, dialect: Dialect) -> dict[Workload, str]:
    return {workload: key for workload in table.rows if (key := key_of(workload, dialect)) is not None}


def _entries(text: str, path: Path) -> list[tuple[str, int, Any]]:
    """(key, line, value node) of every entry."""
    import yaml

    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" line {mark.line + 1}" if mark else ""
        raise TableError(f"{path}{place} is not valid YAML ({error.problem})") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise TableError(f"{path} is not valid YAML ({str(error).splitlines()[0]})") from None
    if not isinstance(root, yaml.MappingNode) or not root.value:
        raise TableError(f"{path} is no block table: it should map keys such as Conv-input:... to latencies")
    found: dict[str, int] = {}
    entries = []
    for key, value in root.value:
        line = key.start_mark.line + 1
        name = str(key.value) if isinstance(key, yaml.ScalarNode) else "(no text)"
        if name in found:
            raise TableError(f"{path} line {line}: {name} stands in line {found[name]} already")
        found[name] = line
        entries.append((name, line, value))
    return entries


def _row(node: Any, place: str, unit_ms: float) -> tuple[Row, bool]:
    """The row of an entry, and whether its spread is known."""
    import yaml

    if not isinstance(node, yaml.MappingNode):
        raise TableError(f"{place} should have mean, and count and std (or var) where they are known")
    values: dict[str, float] = {}
    for key, value in node.value:
        name, inner = str(key.value), f"{place}, line {key.start_mark.line + 1}: {key.value}"
        if name in values:
            raise TableError(f"{inner} stands twice")
        if name in ("count", "mean", "std", "var"):
            values[name] = finite(value.value if isinstance(value, yaml.ScalarNode) else None, inner)
    if "mean" not in values:
        raise TableError(f"{place} has no mean")
    mean_ms = time_above_zero(values["mean"] * unit_ms, f"{place}: mean")
    count = values.get("count", 1.0)
    if count != int(count) or not 1 <= count <= _MOST_RUNS:
        raise TableError(f"{place}: count is {count:g}; it must be a whole number from 1 to {_MOST_RUNS:,}")
    for name in ("std", "var"):
        if values.get(name, 0.0) < 0:
            raise TableError(f"{place}: {name} is {values[name]:g}; it must not be negative")
    root = sqrt(values.get("var", 0.0))
    std = values.get("std", root)
    if "var" in values and abs(std - root) > _DIGITS * max(std, root):
        raise TableError(f"{place}: std is {std:g}, but var is {values['var']:g}, not its square")
    std_ms = std * unit_ms
    known = "count" in values and ("std" in values or "var" in values)
    rounds, spread = (int(count), std_ms / mean_ms) if known else (1, 0.0)
    verdict: Verdict = "noisy" if spread > NOISY_SPREAD else "quiet"
    row = Row(mean_ms, mean_ms, spread, rounds, int(count), verdict)
    if not row.is_possible:
        raise TableError(f"{place}: {mean_ms:g} ms with a spread of {spread:g} cannot be; is --unit right?")
    return row, known


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]} ..."
