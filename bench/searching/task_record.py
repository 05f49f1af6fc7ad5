"""A search's task as JSON: what `result.json` repeats it by, and what an interrupted search is known by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, cast

from ...devices.base import Setting
from ...errors import UserError
from ...latency_tables.domain import table_domain
from ...latency_tables.predictor import Predictor
from ...latency_tables.table import LatencyTable
from ...zen.proxies.base import READINGS
from ...zen.search.algorithm import ALGORITHMS
from ...zen.search.budget import Budget, LatencyLimit
from ...zen.search.front import AXES
from ...zen.search.task import SearchTask
from ...zen.space import space_from

_COST_LIMITS = ("macs", "params", "layers", "peak_activation_bytes", "min_width")
_SHAPE_LIMITS = ("max_stage_share", "max_depth_to_width")
_COUNTS = ("resolution", "classes", "evaluations", "population", "seed", "islands")
_MOST = 1e18
MOST_ISLANDS = 256
"""Beyond so many an exchange takes longer than an island's share of an epoch."""


def task_record(task: SearchTask) -> dict[str, Any]:
    """Everything that fixes what a search finds; tables by what they hold."""
    budget = task.budget
    return {
        "space": task.space.to_json(),
        **{name: getattr(task, name) for name in _COUNTS if name != "population"},
        "population": task.members,
        "reading": task.reading,
        "algorithm": task.algorithm,
        "front": task.front,
        "budget": {
            **{name: getattr(budget, name) for name in (*_COST_LIMITS, *_SHAPE_LIMITS)},
            "latencies": [_limit_record(limit) for limit in budget.latencies],
        },
    }


def task_digest(task: SearchTask) -> str:
    """16 hex digits that no other task has."""
    text = json.dumps(task_record(task), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_task(record: Any, open_model: Callable[[Setting], Predictor], place: str) -> SearchTask:
    """The task that `task_record` wrote, with today's tables; raises UserError where it does not hold."""
    try:
        counts = {name: _whole(record, name) for name in _COUNTS}
        given = record["budget"]
        limits = {name: None if given[name] is None else _whole(given, name) for name in _COST_LIMITS}
        shares = {name: None if given[name] is None else _positive(given, name) for name in _SHAPE_LIMITS}
        reading, algorithm, front = record["reading"], record["algorithm"], record["front"]
        latencies = [
            (Setting.parse(limit["device"], limit["setting"]), limit) for limit in given["latencies"]
        ]
        rest = [
            (_positive(limit, "limit_ms"), _confidence(limit), str(limit["label"]), limit.get("beyond_table"))
            for _, limit in latencies
        ]
        space = record["space"]
    except KeyError as error:
        raise UserError(f"{place} does not say how to repeat its search: {error} is missing") from None
    except (TypeError, AttributeError):
        raise UserError(f"{place} does not say how to repeat its search: its task is malformed") from None
    if reading not in READINGS or algorithm not in list(ALGORITHMS):
        raise UserError(f"{place} asks for the reading '{reading}' and the algorithm '{algorithm}'")
    if front not in (None, *AXES):
        raise UserError(f"{place} asks for a front along '{front}'")
    if counts["islands"] > MOST_ISLANDS:
        raise UserError(f"{place} asks for {counts['islands']} islands; there may be {MOST_ISLANDS}")
    found = []
    for (setting, _), (limit_ms, confidence, label, beyond) in zip(latencies, rest, strict=True):
        model = open_model(setting)
        # A result of before there were domains does not say that it held to one.
        domain = table_domain(model.table) if beyond is False else None
        found.append(LatencyLimit(limit_ms, model, confidence, label, domain))
    budget = Budget(**limits, **shares, latencies=tuple(found))  # type: ignore[arg-type]
    return SearchTask(
        space_from(space, place),
        budget=budget,
        reading=reading,
        algorithm=algorithm,
        front=front,
        **counts,
    )


def table_models(budget: Budget) -> Sequence[Predictor]:
    """The models of a budget's latencies, which are all tables here."""
    return [cast(Predictor, limit.model) for limit in budget.latencies]


def table_digest(table: LatencyTable) -> str:
    """SHA-256 over a table's rows and networks, or its model, whatever file they came from."""
    digest = hashlib.sha256()
    for table_rows in (table.rows, table.networks):
        for key, row in table_rows.items():
            digest.update(f"{key} {row.latency_ms:.7g}\n".encode())
    if table.card.model is not None:
        digest.update(json.dumps(table.card.model, sort_keys=True).encode())
    return digest.hexdigest()


def _limit_record(limit: LatencyLimit) -> dict[str, Any]:
    model = cast(Predictor, limit.model)
    return {
        "label": limit.label,
        "device": model.device,
        "setting": model.setting,
        "limit_ms": limit.limit_ms,
        "confidence": limit.confidence,
        "beyond_table": limit.domain is None,
        "table_workloads": len(model.table.rows),
        "table_sha256": table_digest(model.table),
    }


def _whole(record: Any, name: str) -> int:
    value, least = record[name], 0 if name == "seed" else 1
    if type(value) is not int or not least <= value < 2**63:
        raise UserError(
            f"'{name}' of the search to repeat must be a whole number from {least} below 2^63, not {value!r}"
        )
    return value


def _positive(record: Any, name: str) -> float:
    value = record[name]
    if type(value) not in (int, float) or not 0 < value < _MOST:
        raise UserError(f"'{name}' of the search to repeat must be a number above 0, below {_MOST:g}")
    return float(value)


def _confidence(record: Any) -> float | None:
    value: float | None = record["confidence"]
    if value is not None and not 0.5 <= _positive(record, "confidence") < 1:
        raise UserError(f"a confidence must be from 0.5 to less than 1, not {value:g}")
    return value
