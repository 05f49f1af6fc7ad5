"""`zenbench search`."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from ...atomic import make_folder
from ...errors import UserError
from ...latency_tables.model import TableModel
from ...units import format_count, format_ms
from ...zen.budget import Budget, LatencyLimit
from ...zen.proxies.base import READINGS, Reading
from ...zen.search import SearchProgress, search
from ...zen.space import SPACES
from ..prediction import open_model
from ..searching import KEPT, rescore, result_record, write_run
from .options import COUNT, DURATION, FOLDER, format_option, predicting_options, seed_option, wish
from .output import Column, answer, say
from .progress import progress

COLUMNS = (
    Column("network", "network", right=False),
    Column("score", "score", lambda v: f"{v:.2f}"),
    Column("forward", "forward passes", right=False),
    Column("layers", "layers"),
    Column("params", "params", format_count),
    Column("macs", "MACs", format_count),
    Column("latency_ms", "latency", format_ms),
    Column("std_ms", "std", format_ms),
)


@click.command("search")
@predicting_options
@click.option("--latency", "latency_ms", type=DURATION, help="Limit on the predicted latency, as in 11ms.")
@click.option("--macs", "--flops", type=COUNT, help="Limit on multiply-adds, as in 400M.")
@click.option("--params", type=COUNT, help="Limit on trainable parameters, as in 1M.")
@click.option("--layers", type=click.IntRange(1), help="Limit on the sum of the blocks' layers.")
@click.option("--space", type=click.Choice(list(SPACES)), default="resnet", show_default=True)
@click.option("--resolution", type=click.IntRange(8, 4096), default=224, show_default=True)
@click.option("--classes", type=click.IntRange(1), default=1000, show_default=True)
@click.option("--reading", type=click.Choice(READINGS), default="paper", show_default=True)
@click.option("--evaluations", type=COUNT, default=96_000, show_default=True, help="Scored candidates.")
@click.option("--population", type=click.IntRange(2), default=256, show_default=True)
@seed_option
@click.option("--out", type=FOLDER, help="Run directory; default runs/<time>-<device>.")
@format_option
def command(style: str, out: Path | None, device: str, **options: Any) -> None:
    """Find the most expressive network within a budget.

    Evolution ranks candidates by the closed-form Zen-Score; the winner and the best behind it are then
    scored again by forward passes. With --latency a latency table predicts every candidate's latency.
    """
    model = None
    if options["latency_ms"] is not None:
        model = open_model(device, wish(options), options["table"])
    folder = out or Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S}-{device if model else 'no-device'}"
    if (folder / "result.json").exists():
        raise UserError(f"{folder} holds a result already; choose another --out")
    make_folder(folder)  # before the long work
    record = run_search(model, folder, **options)
    shown = {
        **record,
        "value": record["score"],
        "forward": f"{record['score_forward']:.2f} +- {record['score_forward_sem']:.2f}",
    }
    for latency in record["latencies"][:1]:
        shown |= {key: latency[key] for key in ("latency_ms", "latency_per_image_ms", "std_ms", "coverage")}
    answer([shown], COLUMNS, style)
    say(f"{folder}: result.json, network.json, best.csv, history.csv")


def run_search(model: TableModel | None, folder: Path, **options: Any) -> dict[str, Any]:
    """Searches and re-scores with progress displays, writes the run directory, returns result.json."""
    reading: Reading = options["reading"]
    budget = _budget(model, options)
    with progress("search", options["evaluations"]) as meter:

        def report(now: SearchProgress) -> None:
            rate = now.evaluated / now.seconds if now.seconds else 0.0
            meter(now.evaluated, f"best {now.best:.2f}, {rate:,.0f} candidates/s")

        result = search(
            SPACES[options["space"]],
            options["resolution"],
            options["classes"],
            budget,
            evaluations=options["evaluations"],
            population=options["population"],
            seed=options["seed"],
            reading=reading,
            progress=report,
            keep=KEPT,
        )
    say(
        f"search: {result.evaluated:,} candidates in {result.seconds:.1f} s, "
        f"{sum(result.rejected.values()):,} more turned away by the budget"
    )
    if result.stopped:
        say(f"search: stopped early: {result.stopped}")
    with progress("forward passes", len(result.best)) as meter:
        rescored, seconds = rescore(
            result, reading, options["seed"], lambda done: meter(done, f"{done} networks")
        )
    models = [model] if model else []
    record = result_record(result, rescored, seconds, reading, budget, models, ["zenbench", *sys.argv[1:]])
    write_run(folder, record, result, rescored)
    return record


def _budget(model: TableModel | None, options: dict[str, Any]) -> Budget:
    latencies: tuple[LatencyLimit, ...] = ()
    if model is not None:
        batch = model.table.card.setting.batch
        limit_ms = options["latency_ms"] * (batch if options["per_image"] else 1)
        latencies = (LatencyLimit(limit_ms, model),)
    budget = Budget(options["macs"], options["params"], options["layers"], latencies=latencies)
    if budget == Budget():
        raise UserError("a search needs a budget: give --latency, --macs, --params or --layers")
    return budget
