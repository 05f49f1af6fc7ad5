"""Results: the files that a search leaves beside its result.json."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ...atomic import write_json, write_text
from ...zen.search.rescoring import Rescored
from ...zen.search.run import SearchResult
from ...zen.search.task import SearchTask

KEPT = 20


def write_run(
    folder: Path, result: SearchResult, task: SearchTask, rescored: Sequence[Rescored]
) -> list[str]:
    """Writes the files of a search but result.json, which comes last; their names."""
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
    return ["network.json", "best.csv", "history.csv"]


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, buffer.getvalue())
