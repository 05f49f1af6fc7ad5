"""The task that `zenbench search` is asked for: by its options, or by a result.json to repeat."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...devices.base import Setting, SettingRequest
from ...errors import UserError
from ...latency_tables.predictor import Predictor
from ...zen.search.algorithm import ALGORITHMS, DEFAULT_ALGORITHM
from ...zen.search.budget import Budget, LatencyLimit
from ...zen.search.front import axis_limit
from ...zen.search.task import SearchTask
from ...zen.space import open_space
from ..searching.latency_limits import WrittenLimit, check_distinct
from ..searching.task_record import read_task, task_record
from .shared.opening import opened_model
from .shared.options import setting_request
from .shared.output import say

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
    limits = tuple(_limit(limit, options) for limit in written)
    budget = Budget(
        macs=options["macs"],
        params=options["params"],
        layers=options["layers"],
        peak_activation_bytes=options["memory"],
        latencies=limits,
        max_stage_share=options["max_stage_share"],
        min_width=options["min_width"],
        max_depth_to_width=options["max_depth_to_width"],
    )
    if not any((limits, budget.macs, budget.params, budget.layers)):
        raise UserError("a search needs a budget: give --latency, --macs, --params or --layers")
    if options["front"]:
        axis_limit(options["front"], budget)  # refuses what has none
    if options["front"] and options["algorithm"] != DEFAULT_ALGORITHM:
        raise UserError(f"--front has an algorithm of its own; leave out --algorithm {options['algorithm']}")
    return SearchTask(
        space=open_space(options["space"]),
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
    return LatencyLimit(limit_ms, model, options["confidence"], written.label)


def repeated_task(path: Path, table: Path | None) -> SearchTask:
    """The task of a result.json, its tables as they are today."""
    try:
        record = json.loads(path.read_text("utf-8"))["task"]
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        raise UserError(f"{path} is no result.json of a search by this version") from None

    def opened(setting: Setting) -> Predictor:
        asked = SettingRequest(setting.runtime, setting.precision, setting.batch, setting.threads)
        return opened_model(setting.device, asked, table)

    task = read_task(record, opened, str(path))
    if task_record(task)["budget"] != record["budget"]:
        say("search: the latency table is another than the one searched with, so the result may differ")
    return task
