"""Joining two files of latencies: the same networks in the same setting, and nothing else."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ...errors import UserError
from ..latency_files.latency_rows import LatencyRow

_Key = tuple[str, str, str, str]
_OTHER_UNIT = 200
"""Where no two latencies are nearer than this factor, one file has another unit."""


@dataclass(frozen=True)
class Joined:
    """Pairs of rows, all of one device and setting."""

    device: str
    setting: str
    rows: tuple[tuple[LatencyRow, LatencyRow], ...]


def join(first: Sequence[LatencyRow], second: Sequence[LatencyRow], names: tuple[str, str]) -> Joined:
    """Joins on digest, device and setting, in the order of the first.

    Two texts of one digest (cells that build the same network) are two networks where both have a row.
    UserError for duplicates, mixed settings or units, empty joins and latencies that are not positive and
    finite.
    """
    shared = _shared_digests(first) | _shared_digests(second)
    ours, theirs = (_index(rows, name, shared) for rows, name in zip((first, second), names, strict=True))
    keys = [key for key in ours if key in theirs]
    if not keys:
        raise UserError(_why_empty(ours, theirs, names))
    found = sorted({(device, setting) for _, _, device, setting in keys})
    if len(found) > 1:
        raise UserError(
            f"the files mix settings ({' and '.join(f'{device} {setting}' for device, setting in found)}); "
            "compare one setting at a time"
        )
    device, setting = found[0]
    rows = tuple((ours[key], theirs[key]) for key in keys)
    _check_units(rows, names)
    return Joined(device, setting, rows)


def _shared_digests(rows: Sequence[LatencyRow]) -> set[str]:
    texts: dict[_Key, set[str]] = defaultdict(set)
    for row in rows:
        texts[row.digest, "", row.device, row.setting].add(row.network)
    return {key[0] for key, found in texts.items() if len(found) > 1}


def _index(rows: Sequence[LatencyRow], name: str, shared: set[str]) -> dict[_Key, LatencyRow]:
    found: dict[_Key, LatencyRow] = {}
    for row in rows:
        key = (row.digest, row.network if row.digest in shared else "", row.device, row.setting)
        if key in found:
            raise UserError(
                f"the {name} file holds {row.network} ({row.digest}) twice for {row.device} {row.setting}"
            )
        if row.latency_ms is not None and not 0 < row.latency_ms < math.inf:
            raise UserError(
                f"the {name} latency of {row.network} ({row.digest}) is {row.latency_ms:g} ms; "
                "it must be more than zero and finite"
            )
        found[key] = row
    return found


def _check_units(rows: Sequence[tuple[LatencyRow, LatencyRow]], names: tuple[str, str]) -> None:
    ratios = [other.latency_ms / one.latency_ms for one, other in rows if one.latency_ms and other.latency_ms]
    if ratios and (max(ratios) < 1 / _OTHER_UNIT or min(ratios) > _OTHER_UNIT):
        raise UserError(
            f"the {names[1]} latencies are {median(ratios):.3g} times the {names[0]} ones; the files "
            "must have different units"
        )


def _why_empty(ours: dict[_Key, LatencyRow], theirs: dict[_Key, LatencyRow], names: tuple[str, str]) -> str:
    common = {key[0] for key in ours} & {key[0] for key in theirs}
    if not common:
        return "the files have no network in common; predict and measure the same networks"
    one, other = (
        ", ".join(sorted({_named(*key[2:]) for key in side if key[0] in common})) for side in (ours, theirs)
    )
    if one == other:
        return "the files have other names for the networks that they share; use the same ones in both"
    return f"{names[0]} is for {one}, {names[1]} for {other}; latencies of two settings are not comparable"


def _named(device: str, setting: str) -> str:
    return f"{device} {setting}".strip() or "a setting that it does not name"


def reference_ratio(pairs: Sequence[tuple[LatencyRow, LatencyRow]]) -> float | None:
    """The reference workload in the second rows over that in the first, median; None where none tells it."""
    ratios = [
        after.reference_ms / before.reference_ms
        for before, after in pairs
        if before.reference_ms and after.reference_ms
    ]
    return median(ratios) if ratios else None
