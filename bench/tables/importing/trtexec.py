"""Times and layer profiles that trtexec writes (`--exportTimes`, `--exportProfile`), read strictly.

All its times are milliseconds. Of a run we take `computeMs`, the time on the GPU by CUDA events; the copies
to and from the GPU, and the host's time to enqueue, are apart in the file and stay apart. It is held
against `endComputeMs - startComputeMs`, which finds a file in another unit or put together by hand.

Source of the format: samples/common/sampleReporting.cpp of NVIDIA/TensorRT, 7 (`inMs`, `outMs`), 8 and 10
(`h2dMs`, `d2hMs`). Until 8.4 the file holds the warm-up too, later only what follows it: runs that start
within the warm-up's time on trtexec's clock are kept apart, which is right for both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from ....errors import TableError
from .fields import number, parse_json, time_above_zero

WARMUP_MS = 200.0
"""trtexec's own default of `--warmUp`."""
_DIGITS = 1e-5
"""Relative rounding of a printed number: six digits."""
_TRANSFERS = (("h2dMs", "inMs"), ("d2hMs", "outMs"))


@dataclass(frozen=True)
class Trace:
    """GPU compute times in ms in the order of the runs, the warm-up apart.

    `copies_ms`: medians of the copies to the GPU and from it; None where the file has none.
    """

    warmup_ms: tuple[float, ...]
    runs_ms: tuple[float, ...]
    copies_ms: tuple[float | None, float | None]


@dataclass(frozen=True)
class TrtexecLayer:
    """One layer of an engine: what TensorRT calls it, its mean and median ms a run, its share of the sum.

    `unit`: the number of the network's unit that all its operations belong to, where their names tell.
    """

    name: str
    average_ms: float
    median_ms: float | None
    share: float
    unit: int | None


def read_times(text: str, path: Path, warmup_ms: float = WARMUP_MS) -> Trace:
    """The runs in a file of `--exportTimes`; raises TableError with the JSON path at fault."""
    records = _records(parse_json(text, path), path)
    runs = [_run(record, f"{path} [{index}]") for index, record in enumerate(records)]
    runs.sort(key=lambda run: run[0])
    for (start, end, _), (following, *_) in pairwise(runs):
        if following < end - _rounding(end, following):
            raise TableError(
                f"{path}: the run from {following:g} ms on overlaps that from {start:g} to {end:g} ms; "
                "a latency is measured with one stream, so run trtexec without --infStreams (--streams)"
            )
    measured = tuple(compute for start, _, compute in runs if start >= warmup_ms)
    if not measured:
        raise TableError(
            f"{path}: all {len(runs)} runs start within the warm-up of {warmup_ms:g} ms; "
            "give the --warmUp that trtexec ran with as --warmup"
        )
    warmup = tuple(compute for start, _, compute in runs if start < warmup_ms)
    to_gpu, from_gpu = (_copies(records, names, path) for names in _TRANSFERS)
    return Trace(warmup, measured, (to_gpu, from_gpu))


def read_profile(text: str, path: Path) -> list[TrtexecLayer]:
    """The layers in a file of `--exportProfile`; raises TableError with the JSON path at fault."""
    records = _records(parse_json(text, path), path)
    if set(records[0]) != {"count"} or number(records[0], "count", f"{path} [0]") < 1:
        raise TableError(f'{path} [0] should be {{"count": RUNS}}, as trtexec --exportProfile begins')
    layers = [_layer(record, f"{path} [{index}]") for index, record in enumerate(records[1:], 1)]
    total = sum(layer.share for layer in layers)
    if not abs(total - 1) < 1e-3:
        raise TableError(f"{path}: the layers' percentages add up to {100 * total:g}, so it is not whole")
    return layers


def is_profile(text: str) -> bool:
    """Whether a JSON text begins as a layer profile does."""
    return re.match(r'\s*\[\s*\{\s*"count"', text) is not None


def _records(data: Any, path: Path) -> list[dict[str, Any]]:
    if not isinstance(data, list) or not data:
        raise TableError(
            f"{path} should hold a JSON list with an object a run or layer, as trtexec writes it"
        )
    for index, record in enumerate(data):
        if not isinstance(record, dict):
            raise TableError(f"{path} [{index}] is no JSON object")
    return data


def _run(record: Mapping[str, Any], place: str) -> tuple[float, float, float]:
    """Start, end and compute time."""
    compute = time_above_zero(number(record, "computeMs", place), f"{place}.computeMs")
    start, end = (number(record, key, place) for key in ("startComputeMs", "endComputeMs"))
    if abs(end - start - compute) > _rounding(start, end, compute):
        raise TableError(
            f"{place}.computeMs is {compute:g}, but endComputeMs - startComputeMs is {end - start:g}"
        )
    return start, end, compute


def _rounding(*values: float) -> float:
    return _DIGITS * sum(map(abs, values))


def _copies(records: Sequence[Mapping[str, Any]], names: Sequence[str], path: Path) -> float | None:
    for name in names:
        if name in records[0]:
            return median(number(record, name, f"{path} [{i}]") for i, record in enumerate(records))
    return None


def _layer(record: Mapping[str, Any], place: str) -> TrtexecLayer:
    name = record.get("name")
    if not isinstance(name, str) or not name:
        raise TableError(f"{place}.name should be the name of a layer")
    times = {key: number(record, key, place) for key in ("timeMs", "averageMs", "percentage")}
    if "medianMs" in record:
        times["medianMs"] = number(record, "medianMs", place)
    for key, value in times.items():
        if value < 0:
            raise TableError(f"{place}.{key} is {value:g}; it must not be negative")
    # Operations of a file that zenbench exported are named after their unit: u3_conv1.
    units = {int(index) for index in re.findall(r"(?<![A-Za-z0-9_])u(\d{1,6})_", name)}
    unit = units.pop() if len(units) == 1 else None
    return TrtexecLayer(name, times["averageMs"], times.get("medianMs"), times["percentage"] / 100, unit)
