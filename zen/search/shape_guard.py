"""The shape guard: limits on depth and width that a search has by default, from published networks.

A search optimises a score and a latency model at once, so without these limits it goes where both err in
its favour: hundreds of layers, most of them narrow. Published networks of the same latency show which shapes
were trained.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf, isfinite, log
from typing import Any

from ...errors import UserError
from ..published import PublishedNetwork, published_networks, shape_slack
from .evaluator import Evaluator
from .front import SPAN
from .shape_limits import depth_to_width, narrowest, stage_share
from .start import fitting_start
from .task import SearchTask

LIMITS = ("layers", "min_width", "max_stage_share", "max_depth_to_width")
"""Fields of a Budget."""
CIFAR_RESOLUTION = 64
"""Networks for at most so many pixels are like those for CIFAR, others like those for ImageNet."""
_NEAR = 2.0
"""Networks within this factor of a limit are of its size."""


@dataclass(frozen=True)
class ShapeGuard:
    """Default limits by their field of a Budget, and the published networks behind them, the cheapest first.

    `loosened`: these networks' shape does not fit the rest of the budget, so the limits are wider.
    """

    limits: Mapping[str, float]
    names: Sequence[str]
    loosened: bool = False


def guarded(task: SearchTask, lifted: Collection[str] = ()) -> tuple[SearchTask, ShapeGuard | None]:
    """The task with default limits where it has none and none is lifted, and what they are.

    Raises UserError where no network of the space fits the task's own budget.
    """
    free = [name for name in LIMITS if name not in lifted and getattr(task.budget, name) is None]
    if not free:
        return task, None
    networks = _alike(task)
    found = {name: value for name, value in _limits(networks).items() if name in free}
    loosened = False
    if not _possible(limited := _with(task, found)):
        loosened, found = True, _loosened(task, found)
        limited = _with(task, found)
    return limited, ShapeGuard(found, [one.name for one in networks], loosened)


def _with(task: SearchTask, limits: Mapping[str, Any]) -> SearchTask:
    return replace(task, budget=replace(task.budget, **limits))


def _limits(networks: Sequence[PublishedNetwork]) -> dict[str, float]:
    slack = shape_slack()
    return {
        "layers": int(slack["layers"] * max(one.layers for one in networks)),
        "min_width": min(one.min_width for one in networks),
        "max_stage_share": _up(max(one.max_stage_share for one in networks), 2),
        "max_depth_to_width": _up(
            slack["max_depth_to_width"] * max(one.max_depth_to_width for one in networks), 3
        ),
    }


def _up(value: float, digits: int) -> float:
    """Rounded up, so that a limit can be printed and typed."""
    return float(ceil(value * 10.0**digits - 1e-9) / 10.0**digits)


def _alike(task: SearchTask) -> Sequence[PublishedNetwork]:
    """The published networks of the task's kinds, resolution and size, the cheapest first."""
    kinds = {"inverted" if kind == "inverted" else "residual" for kind in task.space.kinds}
    of_kind = [one for one in published_networks() if one.kind in kinds]
    small = task.resolution <= CIFAR_RESOLUTION
    # No inverted network was published for CIFAR: the kind says more of a shape than the resolution.
    candidates = [one for one in of_kind if (one.resolution <= CIFAR_RESOLUTION) == small] or of_kind
    shares = sorted(((_share(one, task), one) for one in candidates), key=lambda pair: pair[0])
    known = [(share, one) for share, one in shares if isfinite(share) and share > 0]
    if not known:
        return candidates
    least = 1 / _NEAR / (SPAN if task.front else 1)
    near = [one for share, one in known if least <= share <= _NEAR]
    return near or [min(known, key=lambda pair: abs(log(pair[0])))[1]]


def _share(one: PublishedNetwork, task: SearchTask) -> float:
    """What of the first latency limit, or else of the MACs, a published network takes at the task's
    resolution; infinite where that is not known, and 1 without such a limit."""
    if task.budget.latencies:
        limit = task.budget.latencies[0]
        network = replace(one.network(), resolution=task.resolution, classes=task.classes)
        try:
            return limit.estimate(network).ms / limit.limit_ms
        except UserError:  # the model knows nothing of its units
            return inf
    if task.budget.macs is None:
        return 1.0
    return one.macs * (task.resolution / one.resolution) ** 2 / task.budget.macs


def _possible(task: SearchTask) -> bool:
    try:
        fitting_start(task, _evaluator(task))
    except UserError:
        return False
    return True


def _loosened(task: SearchTask, limits: Mapping[str, float]) -> dict[str, float]:
    """The limits as wide as a network needs that fits the rest of the budget."""
    evaluator = _evaluator(task)
    start = fitting_start(task, evaluator)
    blocks = [cached.block for cached in start]
    needed: dict[str, float] = {
        "layers": sum(block.layers for block in blocks),
        "min_width": narrowest(blocks),
        "max_stage_share": _up(stage_share(blocks), 2),
        "max_depth_to_width": _up(depth_to_width(map(evaluator.cache.depth, start)), 3),
    }
    wider = {name: max(value, needed[name]) for name, value in limits.items()}
    if "min_width" in limits:
        wider["min_width"] = min(limits["min_width"], needed["min_width"])
    return wider


def _evaluator(task: SearchTask) -> Evaluator:
    return Evaluator(task.resolution, task.classes, task.budget, task.reading)
