"""What a search left in its folder: the chosen network, the candidates it was chosen from, its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

from ...errors import NetworkError, UserError
from ...zen.cost import cost
from ...zen.network import Network
from ...zen.proxies.base import Reading
from ...zen.proxies.closed_form import zen_closed
from ...zen.search.budget import Budget
from ...zen.search.front import AXES
from ..csv_file import read_csv
from ..latency_files.latency_rows import LatencyRow
from ..networks.reading import spelled
from .candidate_records import CandidateRecord, KeptCandidate, cell, read_candidates
from .result_record import GivenRecord, ResultRecord, VerdictRecord, read_result, whole_given
from .run_folder import RESULT

FRONT, BEST, HISTORY = "front.csv", "best.csv", "history.csv"
COSTS = ("macs", "params", "layers", "peak_activation_bytes")


@dataclass(frozen=True)
class LimitedLatency:
    """The latency of the chosen network in one setting, and the limit it was searched within.

    `measured_ms`: where the search measured it, the median of so many `loads`. `verdict`: what the search
    says of the limit, None where a result is from before searches said it.
    """

    device: str
    setting: str
    label: str
    limit_ms: float
    latency_ms: float
    std_ms: float
    provenance: str
    measured_ms: float | None = None
    measured_std_ms: float | None = None
    loads: int = 0
    verdict: str | None = None


@dataclass(frozen=True)
class Search:
    """A search that ended; its networks may not all be scored again yet, or never.

    `axis`: what `CandidateRecord.cost` is, `latency`, `macs` or `params`; `limit`: the one on it. `budget`:
    the limits on the cost alone. `evaluations`: what was asked for, `evaluated`: what was done. `rounds`: so
    many times finalists were measured meanwhile. `given`: the network that it was to better.
    """

    network: Network
    reading: Reading
    score: float
    score_forward: float | None
    score_forward_sem: float | None
    latencies: tuple[LimitedLatency, ...]
    table_digests: tuple[str, ...]
    axis: str
    limit: float | None
    budget: Budget
    is_front: bool
    candidates: tuple[KeptCandidate, ...]
    history: tuple[tuple[int, float], ...]
    evaluated: int
    evaluations: int
    rounds: int
    seconds: float
    command: str
    given: GivenRecord | None


def read_search(folder: Path) -> Search:
    """The search that ended in a folder; raises UserError where its files are missing or damaged."""
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
    latencies = _latencies(record)
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
        candidates=read_candidates(folder / (FRONT if is_front else BEST), axis),
        history=_history(folder / HISTORY),
        evaluated=_count("evaluated", record["evaluated"]),
        evaluations=_count("evaluations", record["task"]["evaluations"]),
        rounds=max((_count("round", load["round"]) for load in record.get("loads", [])), default=0),
        seconds=record["seconds"],
        command=" ".join(record["command"]),
        given=whole_given(record.get("like")),
    )


def _latencies(record: ResultRecord) -> tuple[LimitedLatency, ...]:
    verdicts: list[VerdictRecord | None] = [*record.get("verdicts", [])]
    return tuple(
        _with_verdict(
            LimitedLatency(
                device=one["device"],
                setting=one["setting"],
                label=one["device"],
                limit_ms=_above_zero("limit_ms", one["limit_ms"]),
                latency_ms=_above_zero("latency_ms", one["latency_ms"]),
                std_ms=one["std_ms"],
                provenance=one["provenance"],
            ),
            verdict,
        )
        for one, verdict in zip(
            record["latencies"], verdicts or [None] * len(record["latencies"]), strict=True
        )
    )


def _with_verdict(latency: LimitedLatency, verdict: VerdictRecord | None) -> LimitedLatency:
    if verdict is None:
        return latency
    said = replace(latency, label=verdict["limit"].removeprefix("latency on "), verdict=verdict["text"])
    if verdict["measured_ms"] is None or verdict["measured_std_ms"] is None:
        return said
    return replace(
        said,
        measured_ms=_above_zero("measured_ms", verdict["measured_ms"]),
        measured_std_ms=verdict["measured_std_ms"],
        loads=_count("loads", verdict["loads"]),
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
            found.append(CandidateRecord(row.network, row.digest, score, None, None, row.latency_ms, True))
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


def _history(path: Path) -> tuple[tuple[int, float], ...]:
    if not path.exists():
        return ()
    file = read_csv(path)
    file.need("evaluated", "score")
    return tuple(
        (int(cell(file, record, "evaluated")), cell(file, record, "score")) for record in file.records
    )
