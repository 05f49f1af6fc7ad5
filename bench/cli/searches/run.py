"""A search as `zenbench search` and the demo run it: with progress displays, and its files written."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ....atomic import write_bytes
from ....devices.base import Connection
from ....quantities import count_of
from ....zen.search.evaluator import Candidate
from ....zen.search.rescoring import passes_work
from ....zen.search.run import SearchResult, SearchState, search
from ....zen.search.task import SearchTask
from ....zen.search.workers.local import LocalWorkers, Workers
from ...charts.figure_file import figure_png
from ...charts.search_figures import search_figure
from ...refining.keeping import learn
from ...refining.loads import NetworkLoad
from ...searching.events import EventLog
from ...searching.finalists import KEPT, finalists
from ...searching.forward_scores import ForwardScores
from ...searching.reading import search_of
from ...searching.result_record import GivenRecord, ResultRecord
from ...searching.results import Results
from ...searching.run_folder import RESULT, SearchFolder
from ...searching.task_record import task_record
from ..shared.output import say
from ..shared.progress import progress
from .accuracies import Accuracies
from .loop import Found, keep_all, measured_search, reached_devices, repeated_search, searched

_RARE = 0.005


@dataclass(frozen=True)
class Measuring:
    """How long a search may measure, and how devices are reached that are not this computer; with `recorded`
    loads it takes those instead of a device."""

    seconds: float = 0.0
    connection: Connection = field(default_factory=Connection)
    recorded: Sequence[NetworkLoad] | None = None
    why_not: str = "it was not asked for"


def run_search(
    task: SearchTask,
    folder: SearchFolder,
    events: EventLog | None = None,
    start_worker: Callable[[SearchTask], Workers] = LocalWorkers,
    rescore: int | None = None,
    measuring: Measuring = Measuring(),
    accuracies: Accuracies | None = None,
    like: GivenRecord | None = None,
) -> tuple[ResultRecord, list[str]]:
    """Searches, measures, trains finalists where there are `accuracies` to find, writes what was found and
    scores finalists again.

    `rescore` as for `finalists`; `like` is the network to better, which goes into the result. Returns
    result.json's content and the names of the files.
    """

    def entries(winner: Candidate) -> dict[str, Any]:
        return found.entries(winner) if like is None else {**found.entries(winner), "like": like}

    events = events or EventLog(None)
    found = _found(task, folder, events, start_worker, measuring, accuracies)
    scores = ForwardScores(folder.path, task)
    results = Results(folder.path, task, found.result, scores, ["zenbench", *sys.argv[1:]], entries)
    winner = found.winner(scores)
    record, files = results.write(winner)
    drawing = _draw(record, folder.path)
    if left := scores.missing(finalists(found.result, task, winner, rescore)):
        _score_again(left, results, winner)
        if (better := found.winner(scores)).network != winner.network:
            say("forward passes: another of the networks within the budget scores more, and is the winner")
        record, _ = results.write(better)
        _draw(record, folder.path)
    files += found.write_latencies(folder.path)
    events.write(
        "done", network=record["network"], score=record["score"], score_forward=record["score_forward"]
    )
    # The tables change last: the same search under another table is another search.
    kept = keep_all(found, folder.path)
    folder.finished()
    for table in kept:
        learn(table)
    return record, [*files, drawing]


def _found(
    task: SearchTask,
    folder: SearchFolder,
    events: EventLog,
    start_worker: Callable[[SearchTask], Workers],
    measuring: Measuring,
    accuracies: Accuracies | None,
) -> Found:
    """What the search finds, from where it was interrupted if it was."""
    state = folder.read_state()
    if state is not None:
        say(f"search: going on in {folder.path} after {state.evaluated:,} candidates")
    events.write("start", task=task_record(task), evaluated=state.evaluated if state else 0)
    last = state

    def search_on(task: SearchTask, state: SearchState | None) -> SearchResult:
        with progress("search", task.evaluations) as meter:

            def report(now: SearchState) -> None:
                nonlocal last
                last = now
                rate = now.evaluated / now.seconds if now.seconds else 0.0
                best = now.best(1)[0][0]
                meter(now.evaluated, f"best {best:.2f}, {rate:,.0f} candidates/s")
                rejected = dict(now.rejected)
                events.write(
                    "progress", evaluated=now.evaluated, best=best, rejected=rejected, seconds=now.seconds
                )
                folder.save_state(now)

            result = search(task, workers=start_worker(task), state=state, keep=KEPT, progress=report)
        folder.save_state(result.state, now=True)
        return result

    try:
        if task.front or not task.budget.latencies:
            found = searched(task, search_on(task, state), folder.path, accuracies)
        elif measuring.recorded is not None:
            found = repeated_search(task, measuring.recorded, folder.path, search_on, accuracies)
        elif not measuring.seconds:
            result = search_on(task, state)
            found = searched(task, result, folder.path, accuracies, why_not=measuring.why_not)
        else:
            reached, why = reached_devices(task, measuring.connection)
            found = measured_search(
                task, reached, why, folder.path, measuring.seconds, search_on, state, events, accuracies
            )
    finally:
        if last is not None:
            folder.save_state(last, now=True)
    result = found.result
    say(
        f"search: {result.evaluated:,} candidates in {result.seconds:.1f} s, "
        f"{sum(result.rejected.values()):,} more exceed the budget{_rejections(result.state)}"
    )
    if result.stopped:
        say(f"search: stopped early: {result.stopped}")
    return found


def _score_again(candidates: Sequence[Candidate], results: Results, winner: Candidate) -> None:
    """Forward passes of these candidates; the results are written again after each."""
    works = [passes_work(candidate.network) for candidate in candidates]
    count = count_of(len(candidates), "network")
    say(f"forward passes: {count} to score again; {results.folder / RESULT} is written already")
    with progress("forward passes", sum(works)) as meter:

        def report(done: int) -> None:
            results.write(winner)
            meter(sum(works[:done]), f"{done} of {count}")

        failures = results.scores.add(candidates, report)
    if failures:
        say(f"forward passes: {count_of(len(failures), 'network')} not scored again: {failures[0]}")


def _draw(record: ResultRecord, folder: Path) -> str:
    """Draws what a search found; the file's name."""
    name = "front.png" if "front" in record else "convergence.png"
    write_bytes(folder / name, figure_png(search_figure(search_of(record, folder))))
    return name


def _rejections(state: SearchState) -> str:
    """Which limits proposals exceeded, in shares of all that exceeded one; the rare ones are left out."""
    total = state.rejected.total()
    frequent = [(name, count) for name, count in state.rejected.most_common() if count >= _RARE * total]
    shares = ", ".join(f"{name.replace('_', ' ')} {count / total:.0%}" for name, count in frequent)
    return f" ({shares})" if shares else ""
