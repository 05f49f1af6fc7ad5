"""`zenbench search`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ...atomic import write_bytes, write_json
from ...errors import UserError
from ...quantities import format_count, format_ms
from ...zen.proxies.base import READINGS
from ...zen.search.algorithm import ALGORITHMS, DEFAULT_ALGORITHM
from ...zen.search.front import AXES, spread
from ...zen.search.rescoring import affordable, rescore
from ...zen.search.run import SearchState, search
from ...zen.search.task import SearchTask
from ...zen.search.workers.local import LocalWorkers, Workers
from ...zen.search.workers.processes import ProcessWorkers
from ...zen.search.workers.ray import RayWorkers
from ..charts.figure_file import figure_png
from ..charts.search_figures import search_figure
from ..searching.events import EventLog
from ..searching.front import write_front
from ..searching.reading import search_of
from ..searching.result_record import ResultRecord, result_record
from ..searching.results import KEPT, write_run
from ..searching.run_folder import RESULT, SearchFolder, take_folder
from ..searching.task_record import MOST_ISLANDS, task_record
from .search_front import show_front
from .search_options import asked_task, repeated_task
from .shared.options import (
    COUNT,
    FILE,
    FOLDER,
    LATENCY_LIMIT,
    SHARE,
    format_option,
    predicting_options,
    seed_option,
)
from .shared.output import NETWORK_COLUMN, Column, answer, label, say
from .shared.progress import progress

COLUMNS = (
    NETWORK_COLUMN,
    Column("score", "score", lambda v: f"{v:.2f}"),
    Column("forward", "forward passes", right=False),
    Column("layers", "layers"),
    Column("params", "params", format_count),
    Column("macs", "MACs", format_count),
)


@click.command("search")
@click.option(
    "--latency",
    "latencies",
    type=LATENCY_LIMIT,
    multiple=True,
    help="Limit on the predicted latency: 11ms for --device, t4=11ms, t4/int8/b64=11ms; several may hold.",
)
@click.option(
    "--confidence", type=SHARE, help="Probability that every latency limit holds, as in 0.9; default: 0.5."
)
@click.option("--macs", "--flops", type=COUNT, help="Limit on multiply-adds, as in 400M.")
@click.option("--params", type=COUNT, help="Limit on trainable parameters, as in 1M.")
@click.option("--layers", type=click.IntRange(1), help="Limit on the sum of the blocks' layers.")
@click.option("--memory", type=COUNT, help="Limit on the bytes of activations alive at once, fp32, as in 2M.")
@click.option("--max-stage-share", type=SHARE, help="Most of all layers in one stage, as in 50%.")
@click.option(
    "--min-width", type=click.IntRange(8), help="Least channels of any block, bottlenecks included."
)
@click.option("--max-depth-to-width", type=click.FloatRange(0, min_open=True), help="DeepMAD's depth limit.")
@click.option(
    "--front",
    type=click.Choice(AXES),
    help="Find the best score at every value up to this limit, not at the limit alone.",
)
@click.option("--space", default="resnet", show_default=True, help="resnet, mobilenet, or a TOML file.")
@click.option("--resolution", type=click.IntRange(8, 4096), default=224, show_default=True)
@click.option("--classes", type=click.IntRange(1), default=1000, show_default=True)
@click.option("--reading", type=click.Choice(READINGS), default="paper", show_default=True)
@click.option("--evaluations", type=COUNT, default=96_000, show_default=True, help="Scored candidates.")
@click.option(
    "--population",
    type=click.IntRange(2),
    help="Members of all islands; default: 16 an island; with --front of each island, default: 256.",
)
@click.option(
    "--algorithm", type=click.Choice(list(ALGORITHMS)), default=DEFAULT_ALGORITHM, show_default=True
)
@seed_option
@predicting_options
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_ISLANDS),
    help="Processes that share out the 4 islands, with the same result; more than 4 make as many islands, "
    "which changes the result.",
)
@click.option(
    "--ray", metavar="ADDRESS", help="The workers on a Ray cluster: host:port, or local for one started here."
)
@click.option("--out", type=FOLDER, help="Run directory; default runs/<time>-<device>.")
@click.option("--events", type=FILE, help="Append what happens to this file, as JSON lines.")
@click.option("--repeat", type=FILE, help="Repeat the search of this result.json; other limits are not read.")
@format_option
def command(
    style: str,
    out: Path | None,
    events: Path | None,
    repeat: Path | None,
    workers: int | None,
    ray: str | None,
    **options: Any,
) -> None:
    """Find the most expressive network within a budget.

    Evolution ranks candidates by the closed-form Zen-Score; the winner and the best behind it are then
    scored again by forward passes. With --latency a latency table predicts every candidate's latency.
    With --front one search finds the whole front of score against latency, MACs or parameters. An
    interrupted search goes on when it is run again, with any number of workers.
    """
    if repeat:
        task = repeated_task(repeat, options["table"])
    else:
        task = asked_task(options)
        if workers and workers > 1 and task.islands == 1:
            raise UserError(f"--algorithm {task.algorithm} is one population, which one worker evolves")
        task = replace(task, islands=max(task.islands, workers or 1))
    devices = "+".join(limit.model.device for limit in task.budget.latencies)
    with take_folder(out, devices or "no-device", task_record(task)) as folder:
        record, files = run_search(task, folder, EventLog(events), _hiring(workers, ray))
    if task.front:
        show_front(record["front"]["points"], task, style)
    else:
        _show_winner(record, task, style)
    for limit in task.budget.latencies:
        say(f"{limit.name}: {limit.model.device} {limit.model.setting}")
    say(f"{folder.path}: {', '.join(files)}")


def _show_winner(record: ResultRecord, task: SearchTask, style: str) -> None:
    shown = {
        **record,
        "label": label(record["network"]),
        "forward": f"{record['score_forward']:.2f} +- {record['score_forward_sem']:.2f}",
    }
    columns = list(COLUMNS)
    for limit, latency in zip(task.budget.latencies, record["latencies"], strict=True):
        per_image = latency["latency_per_image_ms"]
        each = f" ({format_ms(per_image)} an image)" if per_image != latency["latency_ms"] else ""
        shown[limit.name] = f"{format_ms(latency['latency_ms'])} +- {format_ms(latency['std_ms'])}{each}"
        columns.append(Column(limit.name, limit.name))
    if style == "table":
        answer([shown], columns, style)
    else:
        answer([record], columns, style)


def run_search(
    task: SearchTask,
    folder: SearchFolder,
    events: EventLog | None = None,
    start_worker: Callable[[SearchTask], Workers] = LocalWorkers,
) -> tuple[ResultRecord, list[str]]:
    """Searches and re-scores with progress displays; result.json's content and the files written."""
    events = events or EventLog(None)
    state = folder.read_state()
    if state is not None:
        say(f"search: going on in {folder.path} after {state.evaluated:,} candidates")
    events.write("start", task=task_record(task), evaluated=state.evaluated if state else 0)
    last = state
    try:
        with progress("search", task.evaluations) as meter:

            def report(now: SearchState) -> None:
                nonlocal last
                last = now
                rate = now.evaluated / now.seconds if now.seconds else 0.0
                meter(
                    now.evaluated, f"best {now.best(1)[0][0]:.2f}, {rate:,.0f} candidates/s{_rejections(now)}"
                )
                events.write(
                    "progress",
                    evaluated=now.evaluated,
                    best=now.best(1)[0][0],
                    rejected=dict(now.rejected),
                    seconds=now.seconds,
                )
                folder.save_state(now)

            result = search(task, workers=start_worker(task), state=state, keep=KEPT, progress=report)
    finally:
        if last is not None:
            folder.save_state(last, now=True)
    say(
        f"search: {result.evaluated:,} candidates in {result.seconds:.1f} s, "
        f"{sum(result.rejected.values()):,} more turned away by the budget{_rejections(last)}"
    )
    if result.stopped:
        say(f"search: stopped early: {result.stopped}")
    axis = task.front
    chosen = spread(result.best, axis, task.budget) if axis else affordable(result.best)
    with progress("forward passes", len(chosen)) as meter:
        rescored, seconds = rescore(chosen, task, lambda done: meter(done, f"{done} networks"))
    record = result_record(result, task, rescored, seconds, ["zenbench", *sys.argv[1:]])
    if axis:
        files = write_front(folder.path, record, result, axis, task.budget, rescored)
    else:
        files = write_run(folder.path, result, task, rescored)
    files = [RESULT, *files, _draw(record, folder.path)]
    write_json(folder.path / RESULT, record)  # last: until it is there, running this again goes on
    events.write(
        "done", network=record["network"], score=record["score"], score_forward=record["score_forward"]
    )
    folder.finished()
    return record, files


def _draw(record: ResultRecord, folder: Path) -> str:
    """Draws what a search found; the file's name."""
    name = "front.png" if "front" in record else "convergence.png"
    write_bytes(folder / name, figure_png(search_figure(search_of(record, folder))))
    return name


def _hiring(workers: int | None, ray: str | None) -> Callable[[SearchTask], Workers]:
    """Who runs the islands, as `--workers` and `--ray` say."""
    if ray is not None:
        return lambda task: RayWorkers(task, ray, workers)
    if workers is not None and workers > 1:
        return lambda task: ProcessWorkers(task, workers)
    return LocalWorkers


def _rejections(state: SearchState | None) -> str:
    """Who turned proposals away, in shares of all that were."""
    if state is None or not state.rejected:
        return ""
    rejected = state.rejected
    shares = ", ".join(f"{name} {count / rejected.total():.0%}" for name, count in rejected.most_common())
    return f" ({shares})"
