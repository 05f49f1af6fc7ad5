"""Results: the files of a search, written again whenever more is known of what it found."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...atomic import write_json, write_text
from ...zen.search.evaluator import Candidate
from ...zen.search.run import SearchResult
from ...zen.search.task import SearchTask
from .forward_scores import ForwardScores
from .front import front_record, front_rows
from .reading import BEST, FRONT, HISTORY
from .result_record import FinalistRecord, ResultRecord, TrainedRecord, result_record
from .run_folder import RESULT

NETWORK = "network.json"
_ACCURACY = ("top1", "standard_error", "test_top1", "round", "images")


@dataclass(frozen=True)
class Results:
    """What a search found, and what is known of it so far; `command` as it was given. `entries` are those of
    result.json that say what was measured, for a winner."""

    folder: Path
    task: SearchTask
    result: SearchResult
    scores: ForwardScores
    command: Sequence[str]
    entries: Callable[[Candidate], Mapping[str, Any]] = lambda winner: {}

    def write(self, winner: Candidate) -> tuple[ResultRecord, list[str]]:
        """Writes each file whole, `result.json` last; what that holds, and the files' names."""
        folder, task, best = self.folder, self.task, self.result.best
        record = result_record(self.result, task, winner, self.scores, self.command)
        record.update(self.entries(winner))  # type: ignore[typeddict-item]
        write_json(folder / NETWORK, winner.network.to_json())
        if task.front:
            rows = front_rows(best, task.budget, self.scores)
            record["front"] = front_record(best, task.front, task.budget, rows)
            _write_csv(folder / FRONT, list(rows[0]), [list(row.values()) for row in rows])
            names = [FRONT]
        else:
            trained = record.get("trained", [])
            _write_best(folder / BEST, best, task, self.scores, record.get("finalists", []), trained)
            _write_csv(folder / HISTORY, ("evaluated", "score"), self.result.history)
            names = [BEST, HISTORY]
        write_json(folder / RESULT, record)
        return record, [RESULT, NETWORK, *names]


def _write_best(
    path: Path,
    best: Sequence[Candidate],
    task: SearchTask,
    scores: ForwardScores,
    measured: Sequence[FinalistRecord],
    trained: Sequence[TrainedRecord],
) -> None:
    """The trained ones first, by accuracy."""
    accuracies = {one["digest"]: one for one in trained}
    places = {digest: place for place, digest in enumerate(accuracies)}
    names = [limit.name for limit in task.budget.latencies]
    by_digest = {one["digest"]: one for one in measured}
    header = ("network", "digest", "score", "score_forward", "score_forward_sem", "macs", "params", "layers")
    rows = []
    for candidate in sorted(best, key=lambda one: places.get(one.network.digest, len(places))):
        network, cost, forward = candidate.network, candidate.cost, scores.of(candidate.network)
        rows.append(
            (
                *(str(network), network.digest, candidate.score),
                *((forward.value, forward.sem) if forward else ("", "")),
                *(cost.macs, cost.params, cost.layers),
                *(estimate.ms for estimate in candidate.estimates),
                *_measured_cells(by_digest.get(network.digest), names if measured else []),
                *(_trained_cells(accuracies.get(network.digest)) if trained else ()),
            )
        )
    labels = [name.removeprefix("latency on ") for name in names]
    columns = [f"latency_ms {label}" for label in labels]
    if measured:
        columns += [*(f"measured_ms {label}" for label in labels), "loads"]
    columns += [*_ACCURACY] if trained else []
    _write_csv(path, (*header, *columns), rows)


def _trained_cells(trained: TrainedRecord | None) -> list[Any]:
    """Round, images, accuracy; empty where it was not trained."""
    return [trained[name] for name in _ACCURACY] if trained else [""] * len(_ACCURACY)  # type: ignore[literal-required]


def _measured_cells(measured: FinalistRecord | None, names: Sequence[str]) -> list[Any]:
    """What a network takes by limit and its number of loads; empty cells where it was not measured."""
    if not names:
        return []
    if measured is None:
        return [""] * (len(names) + 1)
    return [*(measured["measured_ms"].get(name, "") for name in names), measured["loads"]]


def _write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, buffer.getvalue())
