"""What a search's measurements leave in its folder: entries of result.json, two files of latencies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...latency_tables.predictor import Predictor
from ...quantities import count_of
from ...zen.network import Network
from ..latency_files.latency_rows import LatencyRow, write_rows
from ..searching.result_record import FinalistRecord, VerdictRecord
from ..searching.task_record import table_digest
from .loads import NetworkLoad
from .standing import Finalist
from .verdict import LimitVerdict

PREDICTED, MEASURED = "predicted.csv", "measured.csv"


def verdict_records(verdicts: Sequence[LimitVerdict]) -> list[VerdictRecord]:
    return [
        {
            "limit": one.name,
            "limit_ms": one.limit_ms,
            "within": one.is_within,
            "measured_ms": None if one.measured is None else one.measured.ms,
            "measured_std_ms": None if one.measured is None else one.measured.std_ms,
            "loads": 0 if one.measured is None else len(one.measured.loads_ms),
            "text": str(one),
        }
        for one in verdicts
    ]


def finalist_records(finalists: Sequence[Finalist]) -> list[FinalistRecord]:
    return [
        {
            "network": str(one.candidate.network),
            "digest": one.candidate.network.digest,
            "round": one.round,
            "score": one.candidate.score,
            "predicted_ms": {name: estimate.ms for name, estimate in one.predicted.items()},
            "std_ms": {name: estimate.std_ms for name, estimate in one.predicted.items()},
            "measured_ms": {name: standing.ms for name, standing in one.standings.items()},
            "measured_std_ms": {name: standing.std_ms for name, standing in one.standings.items()},
            "loads": one.loads,
            "corrected_by": one.corrected_by,
            "error": one.error,
        }
        for one in finalists
    ]


def write_latencies(
    folder: Path, finalists: Sequence[Finalist], models: Mapping[str, Predictor]
) -> list[str]:
    """Writes what was predicted of every finalist before it was measured, and what was measured."""
    write_rows(folder / PREDICTED, [row for one in finalists for row in _predicted(one, models)])
    write_rows(folder / MEASURED, [row for one in finalists for row in _measured(one, models)])
    return [PREDICTED, MEASURED]


def _predicted(finalist: Finalist, models: Mapping[str, Predictor]) -> list[LatencyRow]:
    rows = []
    for name, estimate in finalist.predicted.items():
        row = _row(finalist.candidate.network, models[name], estimate.ms, estimate.std_ms)
        digest, count = table_digest(models[name].table), finalist.corrected_by
        corrected = f", corrected by {count_of(count, 'network')} of the search" if count else ""
        rows.append(replace(row, table=f"{digest}{corrected}"))
    return rows


def _measured(finalist: Finalist, models: Mapping[str, Predictor]) -> list[LatencyRow]:
    return [
        _row(finalist.candidate.network, models[name], standing.ms, standing.std_ms)
        for name, standing in finalist.standings.items()
    ]


def _row(network: Network, model: Predictor, ms: float, std_ms: float) -> LatencyRow:
    return LatencyRow.of(network, model.table.card.setting, ms, std_ms=std_ms)


def load_records(loads: Sequence[NetworkLoad]) -> list[dict[str, object]]:
    """What a search is repeated by: its loads, without their raw samples."""
    return [{**load.to_json(), "measurements": []} for load in loads]
