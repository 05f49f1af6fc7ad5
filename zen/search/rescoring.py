"""Rescoring: the best of a search scored again, by forward passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from ..network import Network
from ..proxies.zen_score import zen_score
from .evaluator import Candidate
from .task import SearchTask

REPEATS, IMAGES = 4, 16
FORWARD_MACS = 2e12
"""Work of all forward passes at the most: about two minutes of one core."""


@dataclass(frozen=True)
class Rescored:
    """A candidate's forward-pass score beside its closed form: mean and standard error of REPEATS."""

    network: Network
    score: float
    score_forward: float
    score_forward_sem: float


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


def rescore(
    candidates: Sequence[Candidate], task: SearchTask, report: Callable[[int], None] = lambda done: None
) -> tuple[list[Rescored], float]:
    """Forward passes for these candidates; the seconds they took."""
    started = perf_counter()
    found = []
    for candidate in candidates:
        graph = candidate.network.graph()
        forward = zen_score(graph, batch=IMAGES, repeats=REPEATS, seed=task.seed, reading=task.reading)
        found.append(Rescored(candidate.network, candidate.score, forward.value, forward.sem or 0.0))
        report(len(found))
    return found, perf_counter() - started
