"""What a search left in its folder: the chosen network, the candidates it was chosen from, its history."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from ...errors import NetworkError, UserError
from ...zen.budget import Budget
from ...zen.cost import cost
from ...zen.network import Network
from ...zen.proxies.base import READINGS, Reading
from ...zen.proxies.closed_form import zen_closed
from ..latency_csv import LatencyRow
from ..networks import networks_only, spelled
from ..networks import read as read_network
from ..search_folder import RESULT

COSTS = ("macs", "params", "layers", "peak_activation_bytes")


@dataclass(frozen=True)
class LimitedLatency:
    """The predicted latency of the chosen network in one setting, and the limit it was searched within."""

    device: str
    setting: str
    limit_ms: float
    latency_ms: float
    std_ms: float
    provenance: str


@dataclass(frozen=True)
class Candidate:
    """A network that the search kept; `cost` is along the search's axis."""

    network: str
    digest: str
    score: float
    score_forward: float | None
    score_forward_sem: float | None
    cost: float


@dataclass(frozen=True)
class Search:
    """A finished search.

    `axis`: what `Candidate.cost` is, `latency`, `macs` or `params`; `limit`: the one on it. `budget`: the
    limits on the cost alone.
    """

    network: Network
    reading: Reading
    score: float
    score_forward: float
    score_forward_sem: float
    latencies: tuple[LimitedLatency, ...]
    table_digests: tuple[str, ...]
    axis: str
    limit: float | None
    budget: Budget
    is_front: bool
    candidates: tuple[Candidate, ...]
    history: tuple[tuple[int, float], ...]
    evaluated: int
    seconds: float
    command: str


def read_search(folder: Path) -> Search | None:
    """The search in a folder, None where it holds no result; raises UserError where its files are damaged."""
    path = folder / RESULT
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text("utf-8"))
        limits = record["task"]["budget"]["latencies"]
        latencies = tuple(
            LimitedLatency(
                device=str(one["device"]),
                setting=str(one["setting"]),
                limit_ms=_number(one["limit_ms"]),
                latency_ms=_number(one["latency_ms"]),
                std_ms=_number(one["std_ms"]),
                provenance=str(one["provenance"]),
            )
            for one in record["latencies"]
        )
        is_front = bool(record["task"]["front"])
        axis = str(record["task"]["front"] or ("latency" if latencies else "macs"))
        limit = latencies[0].limit_ms if axis == "latency" else record["task"]["budget"][axis]
        rows = _rows(folder / ("front.csv" if is_front else "best.csv"))
        (network,) = networks_only([read_network(str(path))], "reported")
        return Search(
            network=network,
            reading=_reading(record),
            score=_number(record["score"]),
            score_forward=_number(record["score_forward"]),
            score_forward_sem=_number(record["score_forward_sem"]),
            latencies=latencies,
            table_digests=tuple(str(one["table_sha256"]) for one in limits),
            axis=axis,
            limit=None if limit is None else _number(limit),
            budget=Budget(**{name: record["task"]["budget"][name] for name in COSTS}),
            is_front=is_front,
            candidates=tuple(_candidate(row, axis) for row in rows),
            history=tuple(
                (int(row["evaluated"]), _number(row["score"])) for row in _rows(folder / "history.csv")
            ),
            evaluated=int(record["evaluated"]),
            seconds=_number(record["seconds"]),
            command=" ".join(map(str, record["command"])),
        )
    except (OSError, KeyError, TypeError, ValueError, RecursionError, AttributeError, csv.Error) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise UserError(f"{folder} holds no whole result of zenbench search: {reason}") from None


def scored(rows: Sequence[LatencyRow], search: Search) -> tuple[Candidate, ...]:
    """Other predicted networks that the limits on the cost allow, where the search is along a latency."""
    if search.axis != "latency":
        return ()
    first, kept = search.latencies[0], {one.digest for one in search.candidates}
    found = []
    for row in rows:
        if (row.device, row.setting) != (first.device, first.setting) or row.digest in kept:
            continue
        if row.latency_ms is None or row.resolution is None or row.classes is None:
            continue
        try:
            network = replace(spelled(row.network), resolution=row.resolution, classes=row.classes)
            score = zen_closed(network, search.reading)
            broken = search.budget.broken_by(cost(network))
        except NetworkError:
            continue  # named in another program's words, or without a closed form
        if network.digest == row.digest and broken is None:
            found.append(Candidate(row.network, row.digest, score, None, None, row.latency_ms))
    return tuple(found)


def _number(value: object) -> float:
    """A finite number: what is none cannot be drawn."""
    if not isinstance(value, int | float | str):
        raise TypeError(f"{value!r} is no number")
    number = float(value)
    if not isfinite(number):
        raise ValueError(f"{value} is no finite number")
    return number


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8"), newline=""), strict=True))


def _reading(record: Mapping[str, Any]) -> Reading:
    reading: Reading = record["reading"]
    if reading not in READINGS:
        raise ValueError(f"the reading '{reading}' is unknown")
    return reading


def _candidate(row: Mapping[str, Any], axis: str) -> Candidate:
    column = next(name for name in row if name.startswith("latency_ms ")) if axis == "latency" else axis
    forward, sem = (
        _number(row[name]) if row[name] else None for name in ("score_forward", "score_forward_sem")
    )
    cost = _number(row[column])
    if cost <= 0:
        raise ValueError(f"the {column} of {row['network']} is {cost:g}, not above zero")
    return Candidate(row["network"], row["digest"], _number(row["score"]), forward, sem, cost)
