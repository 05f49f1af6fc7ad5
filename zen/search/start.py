"""Starts: the network that a search begins with, repaired until it fits the budget."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from ...errors import UserError
from ...quantities import format_count, format_ms
from ..blocks import Block, round_to_8
from ..space import Space, chain
from .block_cache import Genome
from .evaluator import BEYOND, Evaluator, Excess
from .island import IslandState
from .mutation import StepMutation
from .task import SearchTask

_FACTORS = (1.0, 0.75, 0.5, 0.25, 0.125)
_REPAIRS = 20_000
"""Mutations that a repair tries, each kept unless it takes the network further from the budget."""
_OPTIONS = {
    "peak_activation_bytes": "--memory",
    "min_width": "--min-width",
    "stage share": "--max-stage-share",
    "depth to width": "--max-depth-to-width",
}


def first_states(task: SearchTask, evaluator: Evaluator) -> list[IslandState]:
    """Every island with the start as its one member, and random numbers of its own."""
    start = fitting_start(task, evaluator)
    score, blocks = evaluator.score(start), tuple(cached.block for cached in start)
    return [
        IslandState(
            members=[(score, index, blocks)],
            varied=[(score, index, blocks)] if task.front is None else [],
            random_state=random.Random(f"{task.seed}/{index}").getstate(),
            history=[(1, score)],
        )
        for index in range(task.islands)
    ]


def fitting_start(task: SearchTask, evaluator: Evaluator) -> Genome:
    """The space's start network, thinned or mutated until it fits; raises UserError where none is found."""
    least = task.budget.min_width or 0
    candidates = [evaluator.genome(blocks) for blocks in _thinner(task.space, task.resolution, least)]
    for genome in candidates:
        if evaluator.broken_by(genome) is None:
            return genome
    repaired = [_repaired(genome, task, evaluator) for genome in (candidates[0], candidates[-1])]
    genome = min(repaired, key=lambda genome: _distance(evaluator.excesses(genome)))
    excesses = evaluator.excesses(genome)
    if excesses:
        raise UserError(_refusal(task, excesses))
    return genome


def _thinner(space: Space, resolution: int, least_width: int) -> Iterator[tuple[Block, ...]]:
    """The start, ever thinner versions of it, and the smallest network of the space."""
    start = space.start(resolution)
    low, last_low = max(space.widths[0], least_width), max(space.last_widths[0], least_width)
    for factor in _FACTORS:
        thin = [
            replace(
                block,
                out_channels=max(low, round_to_8(block.out_channels * factor)),
                bottleneck=max(low, round_to_8(block.bottleneck * factor)) if block.bottleneck else 0,
            )
            for block in start
        ]
        thin[-1] = replace(thin[-1], out_channels=max(last_low, thin[-1].out_channels))
        yield chain(thin)
    yield space.smallest(resolution, least_width)


def _repaired(genome: Genome, task: SearchTask, evaluator: Evaluator) -> Genome:
    """The network mutated towards the budget, as far as that goes."""
    rng, mutate = random.Random(0), StepMutation(task.space)
    distance = _distance(evaluator.excesses(genome))
    for _ in range(_REPAIRS):
        child = mutate(genome, evaluator.cache, rng)
        away = _distance(evaluator.excesses(child))
        if away <= distance:
            genome, distance = child, away
        if not distance:
            break
    return genome


def _distance(excesses: list[Excess]) -> float:
    return sum(excess.share for excess in excesses)


def _refusal(task: SearchTask, excesses: list[Excess]) -> str:
    reached = " and ".join(dict.fromkeys(map(_reaching, excesses)))
    has = " and ".join(f"{excess.name.replace('_', ' ')} {_value(excess)}" for excess in excesses)
    return (
        f"impossible budget: the network of the space '{task.space.name}' at resolution {task.resolution} "
        f"that comes nearest has {has}; the nearest budget that can be met: {reached}"
    )


def _reaching(excess: Excess) -> str:
    """The option that lets a network with this excess in."""
    return "--beyond-table" if excess.name in BEYOND else f"{_option(excess)}{_value(excess)}"


def _option(excess: Excess) -> str:
    if excess.name.startswith("latency on "):
        return f"--latency {excess.name.removeprefix('latency on ')}="
    return _OPTIONS.get(excess.name, f"--{excess.name}") + " "


def _value(excess: Excess) -> str:
    if excess.name.startswith("latency on "):
        return format_ms(excess.value * 1.005).replace(" ", "")
    if excess.name in ("layers", "min_width", *BEYOND):
        return str(excess.value)  # options that take no 1.5k
    if isinstance(excess.value, int):
        return format_count(_rounded_up(excess.value))
    return f"{excess.value + 0.005:.2f}"


def _rounded_up(count: int) -> int:
    """To three significant digits, so that what is printed can be met."""
    unit: int = 10 ** max(0, len(str(count)) - 3)
    return -(-count // unit) * unit
