"""`zenbench search`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import click

from ...devices.base import Connection
from ...errors import UserError
from ...zen.proxies.base import READINGS
from ...zen.search.algorithm import ALGORITHMS, DEFAULT_ALGORITHM
from ...zen.search.front import AXES
from ...zen.search.task import SearchTask
from ..data_sets.data_set import check_size
from ..data_sets.reading import FORMS, open_data
from ..searching.events import EventLog
from ..searching.finalists import KEPT
from ..searching.hiring import hiring
from ..searching.result_record import GivenRecord
from ..searching.run_folder import take_folder
from ..searching.task_record import MOST_ISLANDS, task_digest, task_record
from ..training.card import WEIGHTS
from .searches.accuracies import Accuracies, RecordedAccuracies, TrainOn
from .searches.answer import show_front, show_winner
from .searches.like import GivenNetwork, recorded_given
from .searches.options import (
    asked_task,
    guarded_task,
    recorded_accuracies,
    recorded_loads,
    repeated_task,
)
from .searches.run import Measuring, run_search
from .shared.options import (
    COUNT,
    DURATION,
    FILE,
    FOLDER,
    LATENCY_LIMIT,
    RESCORE,
    SHARE,
    OrNone,
    format_option,
    predicting_options,
    reaching_options,
    seed_option,
)
from .shared.output import say

LEAST_RESOLUTION, LEAST_IMAGES = 8, 10


@click.command("search")
@click.option(
    "--latency",
    "latencies",
    type=LATENCY_LIMIT,
    multiple=True,
    help="Limit on the latency: 11ms for --device, t4=11ms, t4/int8/b64=11ms; several may hold. It is "
    "predicted by a table, and measured where the device is at hand.",
)
@click.option(
    "--confidence",
    type=SHARE,
    help="Probability that every latency limit holds, as in 0.8; default: 0.5, and 0.9 for a modelled or "
    "fitted table.",
)
@click.option(
    "--beyond-table",
    is_flag=True,
    help="Allow networks that are deeper, narrower or of other operations than what a modelled or fitted "
    "table was fitted to.",
)
@click.option("--macs", "--flops", type=COUNT, help="Limit on multiply-adds, as in 400M.")
@click.option("--params", type=COUNT, help="Limit on trainable parameters, as in 1M.")
@click.option(
    "--layers",
    type=OrNone(click.IntRange(1)),
    help="Limit on the sum of the blocks' layers. This limit and the next three are by default those of "
    "published networks of the same latency or MACs; none lifts one.",
)
@click.option("--max-stage-share", type=OrNone(SHARE), help="Most of all layers in one stage, as in 50%.")
@click.option(
    "--min-width", type=OrNone(click.IntRange(8)), help="Least channels of any block, bottlenecks included."
)
@click.option(
    "--max-depth-to-width",
    type=OrNone(click.FloatRange(0, min_open=True)),
    help="DeepMAD's limit: the number of convolutions divided by their mean width.",
)
@click.option("--memory", type=COUNT, help="Limit on the bytes of activations alive at once, fp32, as in 2M.")
@click.option(
    "--front",
    type=click.Choice(AXES),
    help="Find the best score at every value up to this limit, not at the limit alone.",
)
@click.option(
    "--like",
    metavar="NETWORK",
    help="A network to better: the search starts from what is nearest to it, and its MACs, parameters and "
    "predicted latency are the limits that no option gives.",
)
@click.option(
    "--space",
    help="resnet, mobilenet, or a TOML file; default resnet, or what is of the kind of --like.",
)
@click.option(
    "--resolution",
    type=click.IntRange(LEAST_RESOLUTION, 4096),
    help="Input height and width; default 224, or those of --like, or the images' with --train-on.",
)
@click.option(
    "--classes",
    type=click.IntRange(1),
    help="Outputs of the classifier; default 1000, or those of --like, or the data's with --train-on.",
)
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
@reaching_options
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_ISLANDS),
    help="Processes that share out the 4 islands, with the same result; more than 4 make as many islands, "
    "which changes the result. So many finalists are trained side by side, too.",
)
@click.option(
    "--ray", metavar="ADDRESS", help="The workers on a Ray cluster: host:port, or local for one started here."
)
@click.option(
    "--measure-time",
    "measure_ms",
    type=DURATION,
    default="60s",
    show_default=True,
    help="How long networks may be measured while the search runs, where the device of a limit is at hand.",
)
@click.option("--no-measure", is_flag=True, help="Only predict latencies.")
@click.option(
    "--rescore",
    type=RESCORE,
    help=f"Finalists scored again by forward passes, the winner first: 1 to {KEPT}, or none; "
    "default: as many as take about two minutes of one core.",
)
@click.option(
    "--train-on",
    help=f"Train finalists, and choose the most accurate: {FORMS}.",
)
@click.option(
    "--finalists",
    type=click.IntRange(2, KEPT),
    default=8,
    show_default=True,
    help="Networks that are trained, in rounds of which the better half goes on.",
)
@click.option(
    "--train-time",
    "train_ms",
    type=DURATION,
    default="20m",
    show_default=True,
    help="How long they are trained together.",
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
    measure_ms: float,
    no_measure: bool,
    rescore: int | None,
    train_on: str | None,
    finalists: int,
    train_ms: float,
    like: str | None,
    **options: Any,
) -> int:
    """Find the most expressive network within a budget.

    Evolution ranks candidates by the closed-form Zen-Score. With --latency a latency table predicts every
    candidate's latency; where the device is at hand, finalists are measured while the search runs, and it
    goes on with what that says. Exit code 1 where no network was measured within the budget. Once
    result.json is written, the winner and the best behind it are scored again by forward passes.

    With --train-on finalists of different depth and width are trained, and the most accurate one within the
    budget is the answer. Its accuracy is of training images that are held out.

    With --like a network of your own gives the budget and the start, and is shown beside what was found.

    With --front one search finds the whole front of score against latency, MACs or parameters. What was
    interrupted goes on when it is run again, with any number of workers.
    """
    if repeat:
        asked = _repeated(repeat, train_on, like, options["table"])
    else:
        asked = _asked(train_on, finalists, train_ms / 1e3, workers, like, options)
    task = asked.task
    devices = "+".join(limit.model.device for limit in task.budget.latencies)
    with take_folder(out, devices or "no-device", task_record(task)) as folder:
        connection = Connection(options["serial"], options["runner"])
        measuring = _measuring(measure_ms, no_measure, repeat, connection)
        hired = hiring(workers, ray)
        record, files = run_search(
            task, folder, EventLog(events), hired, rescore, measuring, asked.accuracies, asked.like
        )
    if task.front:
        show_front(record, task, style)
    else:
        show_winner(record, task, style)
    for reason in asked.like["unknown"] if asked.like else ():
        say(f"yours: {reason}")
    for limit in task.budget.latencies:
        say(f"{limit.name}: {limit.model.device} {limit.model.setting}")
    if asked.guard:
        say(asked.guard)
    say(f"{folder.path}: {', '.join(files)}")
    chosen = next((one for one in record.get("trained", []) if one["digest"] == record["digest"]), None)
    if chosen and not repeat:
        weights = folder.path / chosen["folder"] / WEIGHTS
        say(f"next: zenbench export {folder.path} --onnx {folder.path}/network.onnx --weights {weights}")
    verdicts = record.get("verdicts", [])
    for verdict in verdicts:
        say(f"{verdict['limit']}: {verdict['text']}" if len(verdicts) > 1 else verdict["text"])
    return 0 if all(verdict["within"] for verdict in verdicts) else 1


class _Asked(NamedTuple):
    """What is to be searched, and what to say of its default limits; the network to better."""

    task: SearchTask
    guard: str | None
    accuracies: Accuracies | None
    like: GivenRecord | None


def _repeated(repeat: Path, train_on: str | None, like: str | None, table: Path | None) -> _Asked:
    if train_on:
        raise UserError("--repeat takes the accuracies of the search to repeat; leave out --train-on")
    if like is not None:
        raise UserError("--repeat starts where the search to repeat did; leave out --like")
    task = repeated_task(repeat, table)
    records = recorded_accuracies(repeat)
    return _Asked(task, None, RecordedAccuracies(records) if records else None, recorded_given(repeat))


def _asked(
    train_on: str | None,
    finalists: int,
    seconds: float,
    workers: int | None,
    like: str | None,
    options: dict[str, Any],
) -> _Asked:
    sizes = options["resolution"], options["classes"]
    given = None if like is None else GivenNetwork.read(like, *sizes)
    if given:
        options = given.limited(options)
    accuracies = _training(train_on, finalists, seconds, workers, options)
    task = given.task(options) if given else asked_task(options)
    if workers and workers > 1 and task.islands == 1:
        raise UserError(f"--algorithm {task.algorithm} is one population, which one worker evolves")
    task, guard = guarded_task(replace(task, islands=max(task.islands, workers or 1)), options)
    if accuracies:
        accuracies = replace(accuracies, chosen_by=task_digest(task))
    return _Asked(task, guard, accuracies, given.record(task) if given else None)


def _training(
    train_on: str | None, finalists: int, seconds: float, workers: int | None, options: dict[str, Any]
) -> TrainOn | None:
    """What is to be trained, if anything; sizes that were not given become those of the images."""
    data = open_data(train_on) if train_on else None
    size = data.train.size() if data else None
    options["resolution"] = options["resolution"] or (size[0] if size else 224)
    options["classes"] = options["classes"] or (data.classes if data else 1000)
    if data is None:
        return None
    if options["front"]:
        raise UserError("--train-on chooses one network and --front many; leave one of them out")
    for images in (data.train, data.test):
        check_size(images, options["resolution"], data.name)
    if options["resolution"] < LEAST_RESOLUTION:
        raise UserError(f"{data.name} has images of {options['resolution']} pixels; a search needs 8 or more")
    if len(data.train.labels) < LEAST_IMAGES:
        raise UserError(
            f"{data.name} has {len(data.train.labels)} training images; finalists need {LEAST_IMAGES} or "
            "more, of which a tenth is held out"
        )
    if data.classes > options["classes"]:
        raise UserError(f"{data.name} has {data.classes} classes; give --classes {data.classes} or more")
    return TrainOn(data, finalists, seconds, options["seed"], workers or 1)


def _measuring(measure_ms: float, no_measure: bool, repeat: Path | None, connection: Connection) -> Measuring:
    if no_measure:
        return Measuring(why_not="--no-measure was given")
    if repeat is None:
        return Measuring(measure_ms / 1e3, connection)
    recorded = recorded_loads(repeat)
    return Measuring(recorded=recorded, why_not="the search to repeat did not measure")
