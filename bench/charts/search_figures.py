"""What stands around the charts of a search: titles, how to read them, legends."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ..searching.reading import CandidateRecord, Search
from .figure import Figure, Key
from .search import convergence, score_against_cost

CHOSEN = Key("ink", "ring", "the chosen network")


def score_figure(search: Search, others: Sequence[CandidateRecord] = (), others_from: str = "") -> Figure:
    """Scores of the networks that a search kept, and of others from a file, against what they cost."""
    cost = "latency" if search.axis == "latency" else "cost"
    keys = [
        Key("good", "circle", "kept, closed form"),
        Key("poor", "diamond", "kept, forward passes ± standard error"),
        CHOSEN,
    ]
    if others:
        keys.append(Key("quiet", "square", f"others in {others_from} within the other limits"))
    if search.limit is not None:
        keys.append(Key("ink", "dash", "limit"))
    return Figure(
        f"score-against-{cost}",
        f"Score against {cost}",
        f"The {len(search.candidates)} networks that the search kept; the line is the front.",
        tuple(keys),
        partial(score_against_cost, search=search, others=others),
    )


def convergence_figure(search: Search) -> Figure:
    """The best score against candidates scored."""
    return Figure(
        "convergence",
        "Convergence of the search",
        f"{search.evaluated:,} candidates were scored in {search.seconds:.1f} s.",
        (
            Key("good", "line", "best so far, closed form"),
            Key("poor", "diamond", "the winner by forward passes"),
        ),
        partial(convergence, search=search),
    )


def search_figure(search: Search) -> Figure:
    """The one figure that a search leaves beside its result: its front, else its convergence."""
    return score_figure(search) if search.is_front else convergence_figure(search)
