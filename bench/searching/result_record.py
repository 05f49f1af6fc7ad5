"""What `result.json` holds: its schema, what writes it and what reads it again."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypedDict, get_args, get_origin, get_type_hints, is_typeddict

from ... import __version__
from ...zen.proxies.base import Reading
from ...zen.search.evaluator import Candidate
from ...zen.search.run import SearchResult
from ...zen.search.task import SearchTask
from .forward_scores import ForwardScores
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
    """The points of a front that are shown, the cheapest first."""

    axis: str
    points: list[dict[str, Any]]


class VerdictRecord(TypedDict):
    """Whether the chosen network holds one latency limit; measured in ms, where it was, over some loads."""

    limit: str
    limit_ms: float
    within: bool
    measured_ms: float | None
    measured_std_ms: float | None
    loads: int
    text: str


class FinalistRecord(TypedDict):
    """A network that was measured in a round of the search; latencies by limit, predictions from before, when
    so many networks of earlier rounds had corrected the tables."""

    network: str
    digest: str
    round: int
    score: float
    predicted_ms: dict[str, float]
    std_ms: dict[str, float]
    measured_ms: dict[str, float]
    measured_std_ms: dict[str, float]
    loads: int
    corrected_by: int
    error: str | None


class TrainedRecord(TypedDict):
    """A finalist after its longest training, on so many `images`: `top1` of `held_out` training images, and
    `test_top1` of the test images where it reached the last round. `folder`: of its weights, below that of
    the search."""

    network: str
    digest: str
    layers: int
    params: int
    macs: int
    round: int
    images: int
    data: str
    seed: int
    precision: str
    top1: float
    held_out: int
    standard_error: float
    test_top1: float | None
    seconds: float
    folder: str


class GivenRecord(TypedDict):
    """A network that a search was to better: what it costs and takes as predicted, by limit, where that is
    known; `unknown`: why something is not."""

    network: str
    digest: str
    score: float | None
    layers: int
    params: int
    macs: int
    latency_ms: dict[str, float]
    std_ms: dict[str, float]
    unknown: list[str]


class _ResultRecord(TypedDict):
    network: str
    digest: str
    resolution: int
    classes: int
    score: float
    score_forward: float | None
    score_forward_sem: float | None
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
    """The winner, what it was chosen by, and enough to repeat the search; `front` where it was along one.

    `finalists` and `loads` (each load as in loads.jsonl, without samples) where something was measured;
    `trained` where finalists were trained, the most accurate first; `like` where a network gave the budget.
    """

    like: GivenRecord
    front: FrontRecord
    verdicts: list[VerdictRecord]
    finalists: list[FinalistRecord]
    trained: list[TrainedRecord]
    loads: list[dict[str, Any]]


def result_record(
    result: SearchResult,
    task: SearchTask,
    winner: Candidate,
    scores: ForwardScores,
    command: Sequence[str],
) -> ResultRecord:
    """What `result.json` holds: the winner, what it was chosen by, and enough to repeat the search."""
    forward = scores.of(winner.network)
    network = winner.network
    return {
        "network": str(network),
        "digest": network.digest,
        "resolution": network.resolution,
        "classes": network.classes,
        "score": winner.score,
        "score_forward": forward.value if forward else None,
        "score_forward_sem": forward.sem if forward else None,
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
        "rescore_seconds": scores.seconds,
        "start": str(result.start),
        "task": task_record(task),
        "command": list(command),
        "versions": {"zenbench": __version__, "python": platform.python_version()},
    }


def read_result(path: Path) -> ResultRecord:
    """What a `result.json` holds; raises TypeError or ValueError, which name the entry that does not fit.

    An entry that is missing is missed by whoever asks for it: not every reader needs all.
    """
    record: ResultRecord = _checked(json.loads(path.read_text("utf-8")), ResultRecord, "it")
    return record


def read_trained(path: Path) -> list[TrainedRecord]:
    """The trained finalists of a `result.json` alone; raises as `read_result`."""
    trained: list[TrainedRecord] = _checked(
        json.loads(path.read_text("utf-8")).get("trained", []), list[TrainedRecord], "'trained'"
    )
    if any(len(one) < len(TrainedRecord.__annotations__) for one in trained):
        raise ValueError("an entry of 'trained' is not whole")
    if not all(0 <= one["top1"] <= 1 for one in trained):
        raise ValueError("a 'top1' is no share")
    return trained


def read_given(path: Path) -> GivenRecord | None:
    """The network that the search of a `result.json` was to better; raises as `read_result`."""
    given: GivenRecord | None = _checked(
        json.loads(path.read_text("utf-8")).get("like"), GivenRecord | None, "'like'"
    )
    return whole_given(given)


def whole_given(given: GivenRecord | None) -> GivenRecord | None:
    """The same; raises ValueError where an entry is missing."""
    if given is not None and len(given) < len(GivenRecord.__annotations__):
        raise ValueError("'like' is not whole")
    return given


def _checked(given: Any, kind: Any, place: str) -> Any:
    """A value of a kind in the schema, as it is in JSON."""
    if get_origin(kind) is UnionType:  # with None
        return None if given is None else _checked(given, get_args(kind)[0], place)
    if is_typeddict(kind):
        entries = get_type_hints(kind)
        _must(isinstance(given, dict), place, "no object")
        return {name: _checked(given[name], entries[name], f"'{name}'") for name in entries if name in given}
    if get_origin(kind) is list:
        _must(isinstance(given, list), place, "no list")
        return [_checked(one, get_args(kind)[0], f"an entry of {place}") for one in given]
    if get_origin(kind) is dict:
        _must(isinstance(given, dict), place, "no object")
        return {name: _checked(one, get_args(kind)[1], f"'{name}' of {place}") for name, one in given.items()}
    if get_origin(kind) is Literal:
        _must(given in get_args(kind), place, f"none of {', '.join(get_args(kind))}")
    elif kind is int:
        _must(type(given) is int and 0 <= given < _MOST, place, "no count")
    elif kind is float:
        # A whole number may have more digits than a float can hold.
        is_number = type(given) is float or (type(given) is int and abs(given) < _MOST)
        _must(is_number and isfinite(given), place, "no finite number")
    elif kind is bool:
        _must(isinstance(given, bool), place, "neither true nor false")
    elif kind is str:
        _must(isinstance(given, str) and _SURROGATE.search(given) is None, place, "no text")
    return given


_MOST = 2**63
_SURROGATE = re.compile("[\ud800-\udfff]")
"""JSON may hold one by itself; no file can be written with it."""


def _must(fits: bool, place: str, fault: str) -> None:
    if not fits:
        raise ValueError(f"{place} is {fault}")
