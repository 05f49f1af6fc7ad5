"""What a search found, where it measured it, and what it says of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from ....devices.base import Connection
from ....errors import UserError
from ....latency_tables.table import LatencyTable
from ....quantities import count_of, format_ms
from ....zen.search.evaluator import Candidate
from ....zen.search.rescoring import ForwardScore
from ....zen.search.run import SearchResult, SearchState
from ....zen.search.task import SearchTask
from ...refining.device_loads import DeviceLoads, Reached, RecordedLoads, reach
from ...refining.keeping import keep
from ...refining.loads import LoadFile, NetworkLoad
from ...refining.loop import Refined, RoundReport, refine
from ...refining.records import finalist_records, load_records, verdict_records, write_latencies
from ...refining.standing import Finalist
from ...refining.verdict import LimitVerdict
from ...searching.events import EventLog
from ...searching.finalists import KEPT
from ...searching.forward_scores import ForwardScores
from ...searching.result_record import TrainedRecord
from ...searching.task_record import table_models, task_record
from ...searching.winner import winner_of
from ..shared.output import say
from ..shared.progress import progress
from .accuracies import Accuracies, in_order

SearchOn = Callable[[SearchTask, SearchState | None], SearchResult]


@dataclass(frozen=True)
class Found:
    """A search's result, and what was measured of it: `reached` are the devices by limit, `why_not` says why
    there is no other, of one limit or of all. `trained`: finalists, the most accurate first."""

    task: SearchTask
    result: SearchResult
    refined: Refined | None = None
    reached: Mapping[str, Reached] = field(default_factory=dict)
    unreached: Mapping[str, str] = field(default_factory=dict)
    why_not: str = ""
    trained: Sequence[TrainedRecord] = ()

    def winner(self, scores: ForwardScores) -> Candidate:
        """The best of those that are within the budget: confirmed by measurements, where there are any, else
        as predicted. Where none is confirmed, the one that takes the least share of its limits.

        The best is the most accurate one where finalists were trained, else the one that scores most."""
        best = self.result.best

        def forward(candidate: Candidate) -> ForwardScore | None:
            return scores.of(candidate.network)

        def share(candidate: Candidate) -> float:
            limits = self.task.budget.latencies
            return max(
                one.ms / limit.limit_ms for one, limit in zip(candidate.estimates, limits, strict=True)
            )

        if self.refined is None or not self.refined.finalists:
            if accurate := in_order(best, self.trained):
                return accurate[0]
            limited = self.task.budget.latencies and not self.task.front
            found = winner_of(best, share, forward) if limited else None
            return found or best[0]
        confirmed = {one.candidate: one.share for one in self.refined.finalists if one.is_confirmed}
        if accurate := in_order(list(confirmed), self.trained):
            return accurate[0]
        return winner_of(list(confirmed), confirmed.__getitem__, forward) or best[0]

    def entries(self, winner: Candidate) -> dict[str, Any]:
        """What result.json says of measurements and trainings."""
        if self.task.front:
            return {}  # many networks, each with a limit of its own
        found: dict[str, Any] = {"verdicts": verdict_records(self._verdicts(winner))}
        if self.trained:
            found["trained"] = list(self.trained)
        if self.refined is not None:
            found["finalists"] = finalist_records(self.refined.finalists)
            found["loads"] = load_records(self.refined.loads)
        return found

    def write_latencies(self, folder: Path) -> list[str]:
        """Predictions and measurements of all finalists; the files' names."""
        if self.refined is None or not self.refined.finalists:
            return []
        names = [limit.name for limit in self.task.budget.latencies]
        models = dict(zip(names, table_models(self.task.budget), strict=True))
        return write_latencies(folder, self.refined.finalists, models)

    def _verdicts(self, winner: Candidate) -> list[LimitVerdict]:
        measured = {} if self.refined is None else {one.candidate: one for one in self.refined.finalists}
        standings = measured[winner].standings if winner in measured else {}
        return [
            LimitVerdict(
                limit.name,
                limit.limit_ms,
                estimate,
                standings.get(limit.name),
                self.unreached.get(limit.name, self.why_not),
            )
            for limit, estimate in zip(self.task.budget.latencies, winner.estimates, strict=True)
        ]


class _Preference:
    """The order of a loop's networks by their accuracies, which it keeps."""

    def __init__(self, accuracies: Accuracies | None, folder: Path) -> None:
        self._accuracies, self._folder = accuracies, folder
        self.records: Sequence[TrainedRecord] = ()

    def __call__(self, refined: Refined) -> list[Candidate]:
        possible = refined.possible(KEPT)
        if self._accuracies is not None:
            self.records = self._accuracies.trained(possible, self._folder)
        return in_order(possible, self.records)


def searched(
    task: SearchTask,
    result: SearchResult,
    folder: Path,
    accuracies: Accuracies | None,
    *,
    unreached: Mapping[str, str] | None = None,
    why_not: str = "",
) -> Found:
    """What was found without a device."""
    records = accuracies.trained(result.best, folder) if accuracies else ()
    return Found(task, result, unreached=unreached or {}, why_not=why_not, trained=records)


def reached_devices(task: SearchTask, connection: Connection) -> tuple[dict[str, Reached], dict[str, str]]:
    """By limit the devices that are at hand, and why the others are not."""
    found = {
        limit.name: reach(model.table, connection)
        for limit, model in zip(task.budget.latencies, table_models(task.budget), strict=True)
    }
    reached = {name: one for name, one in found.items() if isinstance(one, Reached)}
    return reached, {name: one for name, one in found.items() if isinstance(one, str)}


def measured_search(
    task: SearchTask,
    reached: Mapping[str, Reached],
    unreached: Mapping[str, str],
    folder: Path,
    seconds: float,
    search_on: SearchOn,
    state: SearchState | None,
    events: EventLog,
    accuracies: Accuracies | None,
) -> Found:
    """Searches in rounds, saying of each what it measured; without a device at hand, just searches."""
    if not reached:
        return searched(task, search_on(task, state), folder, accuracies, unreached=unreached)
    preference = _Preference(accuracies, folder)
    with ExitStack() as displays:
        bars: list[Callable[[float, str], None]] = []

        def show(load: NetworkLoad) -> None:
            if not bars:
                bars.append(displays.enter_context(progress("measure", seconds)))
            taken = format_ms(load.ms) if load.ms is not None else f"failed: {load.error}"
            bars[0](source.spent_seconds, f"round {load.round}, {taken}")

        def report(done: RoundReport) -> None:
            displays.close()
            bars.clear()
            line = round_line(done)
            say(line)
            events.write("round", number=done.number, text=line)

        source = DeviceLoads(LoadFile(folder, task_record(task)), reached, seconds, show)
        refined = refine(
            task, list(reached), source, search_on, state, report, preference if accuracies else None
        )
    if refined.stopped:
        say(f"search: the device is gone; the search went on without it: {refined.stopped}")
    if refined.ended:
        say(f"search: measuring ended, {refined.ended}")
    why_not = f"the device is gone: {refined.stopped}" if refined.stopped else "the time to measure was over"
    return Found(task, refined.ranked(KEPT), refined, reached, unreached, why_not, preference.records)


def repeated_search(
    task: SearchTask,
    loads: Sequence[NetworkLoad],
    folder: Path,
    search_on: SearchOn,
    accuracies: Accuracies | None,
) -> Found:
    """The same with the loads of an earlier search instead of a device."""
    preference = _Preference(accuracies, folder)
    labels = list(dict.fromkeys(load.limit for load in loads))
    source = RecordedLoads(loads)
    refined = refine(
        task,
        labels,
        source,
        search_on,
        report=lambda done: say(round_line(done)),
        order=preference if accuracies else None,
    )
    if source.has_time_for(1):
        raise UserError(
            "the search to repeat ran with another table, so its measurements do not fit; put its table "
            "beside result.json again, or add --no-measure"
        )
    return Found(
        task, refined.ranked(KEPT), refined, why_not="it is a repetition", trained=preference.records
    )


def keep_all(found: Found, folder: Path) -> list[LatencyTable]:
    """What was measured goes to the journals of the tables that the search ran with; the folder keeps these
    tables as they were. Those that have something to learn."""
    kept = []
    for limit, model in zip(found.task.budget.latencies, table_models(found.task.budget), strict=True):
        if found.refined is not None and limit.name in found.reached:
            loads = [load for load in found.refined.loads if load.limit == limit.name]
            if (why_not := keep(loads, model.table, found.reached[limit.name], folder)) is not None:
                say(f"search: {why_not}")
            elif loads:
                kept.append(model.table)
    return kept


def round_line(done: RoundReport) -> str:
    """What a round measured."""
    errors = [error for one in done.finalists for error in one.relative_errors]
    said = f"round {done.number}: {count_of(len(done.finalists), 'network')} measured"
    if errors:
        said += f", predictions off by {fmean(map(abs, errors)):.1%} (bias {fmean(errors):+.1%})"
    for one in done.finalists:
        if one.error is not None:
            said += f"\n  left out {one.candidate.network.digest}, which failed: {one.error}"
    return f"{said}\n  {_leader(done.leader)}"


def _leader(leader: Finalist | None) -> str:
    if leader is None:
        return "none is confirmed within the budget yet"
    taken = " and ".join(
        f"{format_ms(one.ms)} of {format_ms(one.limit_ms)}" for one in leader.standings.values()
    )
    return f"best so far: score {leader.candidate.score:.2f}, {taken}"
