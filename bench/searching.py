"""Searching: a search with its budgets, the re-scoring of its best, and the files that it leaves."""

from __future__ import annotations

import csv
import hashlib
import io
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from .. import __version__
from ..atomic import write_json, write_text
from ..latency_tables.model import TableModel
from ..zen.budget import Budget
from ..zen.network import Network
from ..zen.proxies.base import Reading
from ..zen.proxies.zen_score import zen_score
from ..zen.search import SearchResult

KEPT = 20
REPEATS = 4


@dataclass(frozen=True)
class Rescored:
    """A candidate's forward-pass score beside its closed form: mean and standard error of REPEATS."""

    network: Network
    score: float
    score_forward: float
    score_forward_sem: float


def rescore(
    result: SearchResult, reading: Reading, seed: int, report: Callable[[int], None] = lambda done: None
) -> tuple[list[Rescored], float]:
    """Forward passes for the winner and the best behind it; the seconds they took."""
    started = perf_counter()
    found = []
    for candidate in result.best[:KEPT]:
        forward = zen_score(candidate.network.graph(), repeats=REPEATS, seed=seed, reading=reading)
        found.append(Rescored(candidate.network, candidate.score, forward.value, forward.sem or 0.0))
        report(len(found))
    return found, perf_counter() - started


def result_record(
    result: SearchResult,
    rescored: Sequence[Rescored],
    rescore_seconds: float,
    reading: Reading,
    budget: Budget,
    models: Sequence[TableModel],
    command: Sequence[str],
) -> dict[str, Any]:
    """What `result.json` holds: the winner, what it was measured by, and enough to repeat the search."""
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
        "reading": reading,
        "macs": winner.cost.macs,
        "params": winner.cost.params,
        "layers": winner.cost.layers,
        "latencies": [
            {
                "device": model.device,
                "setting": model.setting,
                "latency_ms": estimate.ms,
                "latency_per_image_ms": estimate.ms / model.table.card.setting.batch,
                "std_ms": estimate.std_ms,
                "coverage": estimate.coverage,
                "provenance": model.table.card.provenance,
            }
            for model, estimate in zip(models, winner.estimates, strict=True)
        ],
        "evaluated": result.evaluated,
        "rejected": dict(result.rejected),
        "seconds": result.seconds,
        "rescore_seconds": rescore_seconds,
        "seed": result.seed,
        "population": result.population,
        "algorithm": "paper",
        "space": result.space,
        "start": str(result.start),
        "budgets": {
            "macs": budget.macs,
            "params": budget.params,
            "layers": budget.layers,
            "latency_ms": {
                f"{limit.model.device} {limit.model.setting}": limit.limit_ms for limit in budget.latencies
            },
        },
        "command": list(command),
        "versions": {"zenbench": __version__, "python": platform.python_version()},
        "tables": [
            {
                "device": model.device,
                "setting": model.setting,
                "workloads": len(model.table.rows),
                "sha256": table_digest(model),
            }
            for model in models
        ],
    }


def write_run(
    folder: Path, record: dict[str, Any], result: SearchResult, rescored: Sequence[Rescored]
) -> None:
    """The files of a search: result.json, network.json, best.csv and history.csv."""
    write_json(folder / "network.json", result.best[0].network.to_json())
    write_text(
        folder / "best.csv",
        _csv(
            (
                "network",
                "digest",
                "score",
                "score_forward",
                "score_forward_sem",
                "macs",
                "params",
                "layers",
                "latency_ms",
            ),
            (
                (
                    *(str(candidate.network), candidate.network.digest, candidate.score),
                    *(forward.score_forward, forward.score_forward_sem),
                    *(candidate.cost.macs, candidate.cost.params, candidate.cost.layers),
                    candidate.estimates[0].ms if candidate.estimates else "",
                )
                for candidate, forward in zip(result.best, rescored, strict=False)
            ),
        ),
    )
    write_text(folder / "history.csv", _csv(("evaluated", "score"), result.history))
    write_json(folder / "result.json", record)


def table_digest(model: TableModel) -> str:
    """SHA-256 over a table's rows and networks, whatever file they came from."""
    digest = hashlib.sha256()
    for table_rows in (model.table.rows, model.table.networks):
        for key, row in table_rows.items():
            digest.update(f"{key} {row.latency_ms:.7g}\n".encode())
    return digest.hexdigest()


def _csv(header: Sequence[str], rows: Any) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()
