"""Rescoring: networks that a search found scored again, by forward passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from ..cost import cost
from ..graph import Conv
from ..network import Network
from .evaluator import Candidate
from .task import SearchTask

REPEATS, IMAGES = 4, 16
FORWARD_MACS = 2e12
"""Work of all forward passes at the most: about two minutes of one core."""
VALUE_MACS, CONVOLUTION_MACS = 32, 400_000
"""What takes as long as writing one value of a feature map, and as calling one convolution for one image."""


@dataclass(frozen=True)
class ForwardScore:
    """A score by forward passes: mean and standard error of REPEATS, and the seconds that they took."""

    value: float
    sem: float
    seconds: float


def passes_work(network: Network) -> float:
    """What its forward passes take against those of other networks, in multiply-adds an image.

    By multiply-adds alone small networks would seem half as dear as they are. Fitted to the CPU times in
    tests/data/forward_passes.csv.
    """
    ops = network.graph().trunk().ops
    values, convolutions = sum(prod(op.shape) for op in ops), sum(isinstance(op, Conv) for op in ops)
    return cost(network).macs + VALUE_MACS * values + CONVOLUTION_MACS * convolutions


def affordable(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The first of them, one at least, whose forward passes together stay within FORWARD_MACS."""
    chosen: list[Candidate] = []
    work = 0.0
    for candidate in candidates:
        work += 2 * IMAGES * REPEATS * candidate.cost.macs
        if chosen and work > FORWARD_MACS:
            break
        chosen.append(candidate)
    return chosen


def rescore(network: Network, task: SearchTask) -> ForwardScore:
    """Forward passes of one network; raises UserError where it has no score by them."""
    from ..proxies.zen_score import zen_score

    forward = zen_score(network.graph(), batch=IMAGES, repeats=REPEATS, seed=task.seed, reading=task.reading)
    return ForwardScore(forward.value, forward.sem or 0.0, forward.seconds)
