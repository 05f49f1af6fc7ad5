"""Which of several networks within the budget a search returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import hypot

from ...zen.search.evaluator import Candidate
from ...zen.search.rescoring import ForwardScore

TIE = 0.005
"""Closed-form scores that differ by so little are equal."""
_STANDARD_ERRORS = 2.0
"""Scores by forward passes are equal within so many of their difference's."""


def winner_of(
    candidates: Sequence[Candidate],
    cost: Callable[[Candidate], float],
    forward: Callable[[Candidate], ForwardScore | None] = lambda candidate: None,
) -> Candidate | None:
    """The one of least cost (a latency, say) among those that score most; None of none.

    Scores by forward passes decide where they are known, among those that have one.
    """
    scored = {candidate: score for candidate in candidates if (score := forward(candidate)) is not None}
    if scored:
        best = max(scored.values(), key=lambda score: score.value)
        tied = [
            candidate
            for candidate, score in scored.items()
            if score.value >= best.value - _STANDARD_ERRORS * hypot(score.sem, best.sem)
        ]
    else:
        most = max((candidate.score for candidate in candidates), default=0.0)
        tied = [candidate for candidate in candidates if candidate.score >= (1 - TIE) * most]
    return min(tied, key=lambda one: (cost(one), -one.score, one.network.digest), default=None)
