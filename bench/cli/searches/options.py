"""The task that `zenbench search` is asked for: by its options, or by a result.json to repeat."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ....devices.base import Setting, SettingRequest
from ....errors import UserError
from ....latency_tables.domain import table_domain
from ....latency_tables.predictor import Predictor
from ....zen.search.algorithm import ALGORITHMS, DEFAULT_ALGORITHM
from ....zen.search.budget import Budget, LatencyLimit
from ....zen.search.front import axis_limit
from ....zen.search.shape_guard import LIMITS, ShapeGuard, guarded
from ....zen.search.task import SearchTask
from ....zen.space import open_space
from ...refining.loads import NetworkLoad
from ...searching.latency_limits import WrittenLimit, check_distinct
from ...searching.result_record import TrainedRecord, read_trained
from ...searching.task_record import read_task, task_record
from ..shared.opening import opened_model
from ..shared.options import NONE, setting_request
from ..shared.output import say

DEFAULT_CONFIDENCE = 0.9
"""Of latency limits whose table was not measured: a search finds where a model errs in its favour."""
DEFAULT_SPACE = "resnet"
_OF_A_SETTING = ("device", "runtime", "precision", "batch", "threads")


def asked_task(options: dict[str, Any]) -> SearchTask:
    """The task that the options describe."""
    written: tuple[WrittenLimit, ...] = options["latencies"]
    check_distinct(written)
    named = [limit.device for limit in written if limit.device]
    idle = [name for name in _OF_A_SETTING if options[name] is not None]
    if idle and named and len(named) == len(written):
        raise UserError(
            f"--{idle[0]} is for a latency limit that names no device; write it into the limit, "
            f"as in {named[0]}/int8/b64=11ms"
        )
    if options["table"] and len(written) > 1:
        raise UserError("--table answers for one latency limit; profile the devices so that each has its own")
    confidence = options["confidence"]
    if confidence is not None and not 0.5 <= confidence < 1:
        raise UserError(f"--confidence must be from 0.5 to less than 1, not {confidence:g}")
    if confidence is not None and not written:
        raise UserError("--confidence is about latency limits; give --latency too")
    if options["beyond_table"] and not written:
        raise UserError("--beyond-table is about latency limits; give --latency too")
    limits = tuple(_limit(limit, options) for limit in written)
    budget = Budget(
        macs=options["macs"],
        params=options["params"],
        peak_activation_bytes=options["memory"],
        latencies=limits,
        **{name: options[name] for name in LIMITS if options[name] != NONE},
    )
    if not any((limits, budget.macs, budget.params, budget.layers)):
        raise UserError("a search needs a budget: give --latency, --macs, --params or --layers")
    if options["front"]:
        axis_limit(options["front"], budget)  # refuses what has none
    if options["front"] and options["algorithm"] != DEFAULT_ALGORITHM:
        raise UserError(f"--front has an algorithm of its own; leave out --algorithm {options['algorithm']}")
    return SearchTask(
        space=open_space(options["space"] or DEFAULT_SPACE),
        budget=budget,
        islands=ALGORITHMS[options["algorithm"]].islands,
        front=options["front"],
        **{
            name: options[name]
            for name in ("resolution", "classes", "evaluations", "population", "seed", "reading", "algorithm")
        },
    )


def _limit(written: WrittenLimit, options: dict[str, Any]) -> LatencyLimit:
    device, asked = (
        (written.device, written.request) if written.device else (options["device"], setting_request(options))
    )
    model = opened_model(device, asked, options["table"])
    batch = model.table.card.setting.batch
    limit_ms = written.limit_ms * (batch if options["per_image"] else 1)
    confidence = options["confidence"]
    if confidence is None and model.table.card.model is not None:
        confidence = DEFAULT_CONFIDENCE
    domain = None if options["beyond_table"] else table_domain(model.table)
    return LatencyLimit(limit_ms, model, confidence, written.label, domain)


def guarded_task(task: SearchTask, options: dict[str, Any]) -> tuple[SearchTask, str | None]:
    """The task within the default limits on its shape that no option lifts, and what to say of them."""
    limited, guard = guarded(task, [name for name in LIMITS if options[name] == NONE])
    return limited, None if guard is None else _guard_text(guard)


def _guard_text(guard: ShapeGuard) -> str:
    names = " to ".join(dict.fromkeys((guard.names[0], guard.names[-1])))
    options = (
        f"--{name.replace('_', '-')} {f'{value:.0%}' if name == 'max_stage_share' else value}"
        for name, value in guard.limits.items()
    )
    source = "wider than" if guard.loosened else "from"
    return f"shape limits, {source} {names} ('{NONE}' lifts one):\n  {' '.join(options)}"


def recorded_loads(path: Path) -> list[NetworkLoad] | None:
    """The loads of a result.json; None where its search measured nothing."""
    try:
        records = json.loads(path.read_text("utf-8")).get("loads")
        return None if records is None else [NetworkLoad.from_json(record) for record in records]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, UserError):
        raise UserError(
            f"{path} holds no loads that can be repeated; add --no-measure to predict only"
        ) from None


def recorded_accuracies(path: Path) -> list[TrainedRecord]:
    """What the search of a result.json knew of its trained finalists; empty where it trained none."""
    try:
        return read_trained(path)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        raise UserError(
            f"{path} does not say how accurate the finalists were; take 'trained' out to repeat it by scores"
        ) from None


def repeated_task(path: Path, table: Path | None) -> SearchTask:
    """The task of a result.json, with the tables that lie beside it, else as they are today."""
    try:
        record = json.loads(path.read_text("utf-8"))["task"]
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        raise UserError(f"{path} is no result.json of a search by this version") from None

    def opened(setting: Setting) -> Predictor:
        kept = path.with_name(f"{setting.device}-{setting.file_stem}.csv")
        asked = SettingRequest(setting.runtime, setting.precision, setting.batch, setting.threads)
        return opened_model(setting.device, asked, table or (kept if kept.exists() else None))

    task = read_task(record, opened, str(path))
    if task_record(task)["budget"] != record["budget"]:
        say("search: the latency table is another than the one searched with, so the result may differ")
    return task
