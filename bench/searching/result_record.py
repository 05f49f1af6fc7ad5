"""What `result.json` holds: its schema, what writes it and what reads it again."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any, Literal, TypedDict, get_args, get_origin, get_type_hints, is_typeddict

from ... import __version__
from ...zen.proxies.base import Reading
from ...zen.search.rescoring import Rescored
from ...zen.search.run import SearchResult
from ...zen.search.task import SearchTask
from .task_record import table_models, task_record


class LatencyRecord(TypedDict):
    """The predicted latency of the chosen network in one setting, and the limit it was searched within."""

    device: str
    setting: str
    limit_ms: float
    latency_ms: float
    latency_per_image_ms: float
    std_ms: float
    coverage: float
    provenance: str


class FrontRecord(TypedDict):
    """The points of a front that were scored again, the cheapest first."""

    axis: str
    points: list[dict[str, Any]]


class _ResultRecord(TypedDict):
    network: str
    digest: str
    resolution: int
    classes: int
    score: float
    score_forward: float
    score_forward_sem: float
    reading: Reading
    macs: int
    params: int
    layers: int
    peak_activation_bytes: int
    latencies: list[LatencyRecord]
    evaluated: int
    rejected: dict[str, int]
    stopped: str | None
    seconds: float
    rescore_seconds: float
    start: str
    task: dict[str, Any]
    command: list[str]
    versions: dict[str, str]


class ResultRecord(_ResultRecord, total=False):
    """The winner, what it was chosen by, and enough to repeat the search; `front` where it was along one."""

    front: FrontRecord


def result_record(
    result: SearchResult,
    task: SearchTask,
    rescored: Sequence[Rescored],
    rescore_seconds: float,
    command: Sequence[str],
) -> ResultRecord:
    """What `result.json` holds: the winner, what it was chosen by, and enough to repeat the search."""
    winner, forward = result.best[0], rescored[0]
    network = winner.network
    return {
        "network": str(network),
        "digest": network.digest,
        "resolution": network.resolution,
        "classes": network.classes,
        "score": winner.score,
        "score_forward": forward.score_forward,
        "score_forward_sem": forward.score_forward_sem,
        "reading": task.reading,
        "macs": winner.cost.macs,
        "params": winner.cost.params,
        "layers": winner.cost.layers,
        "peak_activation_bytes": winner.cost.peak_activation_bytes,
        "latencies": [
            {
                "device": model.device,
                "setting": model.setting,
                "limit_ms": limit.limit_ms,
                "latency_ms": estimate.ms,
                "latency_per_image_ms": estimate.ms / model.table.card.setting.batch,
                "std_ms": estimate.std_ms,
                "coverage": estimate.coverage,
                "provenance": model.table.card.provenance,
            }
            for model, limit, estimate in zip(
                table_models(task.budget), task.budget.latencies, winner.estimates, strict=True
            )
        ],
        "evaluated": result.evaluated,
        "rejected": dict(result.rejected),
        "stopped": result.stopped,
        "seconds": result.seconds,
        "rescore_seconds": rescore_seconds,
        "start": str(result.start),
        "task": task_record(task),
        "command": list(command),
        "versions": {"zenbench": __version__, "python": platform.python_version()},
    }


def read_result(path: Path) -> ResultRecord:
    """What a `result.json` holds; raises LookupError, TypeError or ValueError for an entry of the wrong type.

    An entry that is missing is missed by whoever asks for it: not every reader needs all.
    """
    record: ResultRecord = _checked(json.loads(path.read_text("utf-8")), ResultRecord)
    return record


def _checked(given: Any, kind: Any) -> Any:
    """A value of a kind in the schema, as it is in JSON."""
    if is_typeddict(kind):
        entries = get_type_hints(kind)
        return {name: _checked(given[name], entries[name]) for name in entries if name in given}
    if get_origin(kind) is list:
        return [_checked(one, get_args(kind)[0]) for one in list(given)]
    if get_origin(kind) is Literal and given not in get_args(kind):
        raise ValueError(f"'{given}' is none of {', '.join(get_args(kind))}")
    if kind is float or kind is int:
        if type(given) not in (int, kind):
            raise TypeError(f"{given!r} is no {'whole ' * (kind is int)}number")
        if not isfinite(given):
            raise ValueError(f"{given} is no finite number")
    elif kind is str and not isinstance(given, str):
        raise TypeError(f"{given!r} is no text")
    return given
