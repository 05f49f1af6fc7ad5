"""Finalists: the networks that a search keeps, and those of them that are scored again, or trained."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import dist, log

from ...errors import UserError
from ...zen.blocks import Block
from ...zen.search.bands import DEPTH_FACTOR, WIDTH_FACTOR
from ...zen.search.evaluator import Candidate
from ...zen.search.front import spread
from ...zen.search.rescoring import affordable
from ...zen.search.run import SearchResult
from ...zen.search.task import SearchTask

KEPT = 20


def finalists(
    result: SearchResult, task: SearchTask, winner: Candidate, count: int | None
) -> list[Candidate]:
    """Those to be scored again: the winner, then the best or the points of the front.

    `count` of them at the most; None: every point of a front, else as many as are affordable.
    """
    others = spread(result.best, task.front, task.budget) if task.front else result.best
    ordered = [winner, *(one for one in others if one.network != winner.network)]
    if count is None:
        return ordered if task.front else affordable(ordered)
    return ordered[:count]


def parse_rescore(text: str) -> int:
    """How many finalists are scored again: 1 to KEPT, or `none`; raises UserError for anything else."""
    if text == "none":
        return 0
    if re.fullmatch("[0-9]{1,3}", text, re.ASCII) and 1 <= int(text) <= KEPT:
        return int(text)
    raise UserError(f"'{text}' is no number of finalists; give 1 to {KEPT}, or none")


def varied(candidates: Sequence[Candidate], count: int) -> list[Candidate]:
    """The first of them, and those that differ most in layers and mean width from all before."""
    left = list(candidates)
    chosen = left[:1]
    left = left[1:]
    while left and len(chosen) < count:
        shapes = [_shape(one) for one in chosen]
        next_one = max(left, key=lambda one: min(dist(_shape(one), shape) for shape in shapes))
        left.remove(next_one)
        chosen.append(next_one)
    return chosen


def _shape(candidate: Candidate) -> tuple[float, float]:
    """Logarithms in units of a band."""
    blocks = [block for block in candidate.network.blocks if isinstance(block, Block)]
    layers = sum(block.layers for block in blocks)
    width = sum(block.layers * block.out_channels for block in blocks) / layers
    return log(layers) / log(DEPTH_FACTOR), log(width) / log(WIDTH_FACTOR)
