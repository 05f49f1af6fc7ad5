"""Searching: the re-scoring of a search's best by forward passes, and the files that it leaves."""

from __future__ import annotations

import csv
import io
import platform
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ... import __version__
from ...atomic import write_json, write_text
from ...zen.search.rescoring import Rescored
from ...zen.search.run import SearchResult
from ...zen.search.task import SearchTask
from ..charts.convergence import write_convergence
from .run_folder import RESULT
from .task_record import table_models, task_record

KEPT = 20


def result_record(
    result: SearchResult,
    task: SearchTask,
    rescored: Sequence[Rescored],
    rescore_seconds: float,
    command: Sequence[str],
) -> dict[str, Any]:
    """What `result.json` holds: the winner, what it was judged by, and enough to repeat the search."""
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


def write_run(
    folder: Path, record: dict[str, Any], result: SearchResult, task: SearchTask, rescored: Sequence[Rescored]
) -> list[str]:
    """Writes the files of a search, result.json last; their names."""
    write_json(folder / "network.json", result.best[0].network.to_json())
    labels = [limit.name.removeprefix("latency on ") for limit in task.budget.latencies]
    header = ("network", "digest", "score", "score_forward", "score_forward_sem", "macs", "params", "layers")
    write_csv(
        folder / "best.csv",
        (*header, *(f"latency_ms {label}" for label in labels)),
        [
            (
                *(str(candidate.network), candidate.network.digest, candidate.score),
                *((forward.score_forward, forward.score_forward_sem) if forward else ("", "")),
                *(candidate.cost.macs, candidate.cost.params, candidate.cost.layers),
                *(estimate.ms for estimate in candidate.estimates),
            )
            for candidate, forward in zip_longest(result.best, rescored)
        ],
    )
    write_csv(folder / "history.csv", ("evaluated", "score"), result.history)
    plots = write_convergence(folder / "convergence.png", result, rescored[0])
    write_json(folder / RESULT, record)
    return [RESULT, "network.json", "best.csv", "history.csv", *plots]


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, buffer.getvalue())
