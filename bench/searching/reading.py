"""What a search left in its folder: the chosen network, the candidates it was chosen from, its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

from ...errors import NetworkError, TableError, UserError
from ...zen.cost import cost
from ...zen.network import Network
from ...zen.proxies.base import Reading
from ...zen.proxies.closed_form import zen_closed
from ...zen.search.budget import Budget
from ...zen.search.front import AXES
from ..csv_file import CsvFile, Record, read_csv
from ..latency_files.latency_rows import LatencyRow
from ..networks.reading import spelled
from .result_record import ResultRecord, read_result
from .run_folder import RESULT

FRONT, BEST, HISTORY = "front.csv", "best.csv", "history.csv"
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
class CandidateRecord:
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
    candidates: tuple[CandidateRecord, ...]
    history: tuple[tuple[int, float], ...]
    evaluated: int
    seconds: float
    command: str


def read_search(folder: Path) -> Search:
    """The finished search in a folder; raises UserError where its files are missing or damaged."""
    try:
        return search_of(read_result(folder / RESULT), folder)
    except NetworkError as error:
        raise NetworkError(f"{folder / RESULT}: {error}") from None
    except (OSError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise UserError(
            f"{folder / RESULT} is no whole result of zenbench search: {reason}; run the search again"
        ) from None


def search_of(record: ResultRecord, folder: Path) -> Search:
    """The search of a record, with the networks and the history that lie in its folder."""
    limits = record["task"]["budget"]["latencies"]
    latencies = tuple(
        LimitedLatency(
            device=one["device"],
            setting=one["setting"],
            limit_ms=_above_zero("limit_ms", one["limit_ms"]),
            latency_ms=_above_zero("latency_ms", one["latency_ms"]),
            std_ms=one["std_ms"],
            provenance=one["provenance"],
        )
        for one in record["latencies"]
    )
    is_front = bool(record["task"]["front"])
    axis = _known("front", record["task"]["front"] or ("latency" if latencies else "macs"), AXES)
    limited = record["task"]["budget"]
    budget: dict[str, Any] = {
        name: None if limited[name] is None else _count(name, limited[name]) for name in COSTS
    }
    limit = latencies[0].limit_ms if axis == "latency" else budget[axis]
    network = replace(spelled(record["network"]), resolution=record["resolution"], classes=record["classes"])
    return Search(
        network=network,
        reading=record["reading"],
        score=record["score"],
        score_forward=record["score_forward"],
        score_forward_sem=record["score_forward_sem"],
        latencies=latencies,
        table_digests=tuple(str(one["table_sha256"]) for one in limits),
        axis=axis,
        limit=limit,
        budget=Budget(**budget),
        is_front=is_front,
        candidates=_candidates(folder / (FRONT if is_front else BEST), axis),
        history=_history(folder / HISTORY),
        evaluated=_count("evaluated", record["evaluated"]),
        seconds=record["seconds"],
        command=" ".join(record["command"]),
    )


def scored(rows: Sequence[LatencyRow], search: Search) -> tuple[CandidateRecord, ...]:
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
            found.append(CandidateRecord(row.network, row.digest, score, None, None, row.latency_ms))
    return tuple(found)


_MOST = 1e18


def _above_zero(name: str, number: Any) -> float:
    if type(number) not in (int, float) or not 0 < number < _MOST:
        raise ValueError(f"'{name}' is no number above zero that makes sense")
    return float(number)


def _count(name: str, number: Any) -> int:
    return ceil(_above_zero(name, number))


def _known(name: str, value: Any, known: Sequence[Any]) -> Any:
    if value not in known:
        raise ValueError(f"'{name}' is none of {', '.join(known)}")
    return value


def _candidates(path: Path, axis: str) -> tuple[CandidateRecord, ...]:
    """The rows of `best.csv` or `front.csv`; none where there is no such file."""
    if not path.exists():
        return ()
    file = read_csv(path)
    latencies = [name for name in file.columns if name.startswith("latency_ms")]
    column = (latencies or ["latency_ms"])[0] if axis == "latency" else axis
    file.need("network", "digest", "score", "score_forward", "score_forward_sem", column)
    return tuple(
        CandidateRecord(
            network=file.text(record, "network"),
            digest=file.text(record, "digest"),
            score=_cell(file, record, "score"),
            score_forward=file.number(record, "score_forward"),
            score_forward_sem=file.number(record, "score_forward_sem"),
            cost=_cost(file, record, column),
        )
        for record in file.records
    )


def _history(path: Path) -> tuple[tuple[int, float], ...]:
    if not path.exists():
        return ()
    file = read_csv(path)
    file.need("evaluated", "score")
    return tuple(
        (int(_cell(file, record, "evaluated")), _cell(file, record, "score")) for record in file.records
    )


def _cost(file: CsvFile, record: Record, column: str) -> float:
    value = _cell(file, record, column)
    if value <= 0:
        raise TableError(f"{file.place(record)}: {column} is {value:g}, not above zero")
    return value


def _cell(file: CsvFile, record: Record, column: str) -> float:
    value = file.number(record, column)
    if value is None:
        raise TableError(f"{file.place(record)} has no {column}")
    return value
