"""What stands around the charts of a search: titles, how to read them, legends."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ..searching.candidate_records import CandidateRecord
from ..searching.reading import Search
from .convergence import convergence
from .figure import Figure, Key
from .search import score_against_cost

CHOSEN = Key("ink", "ring", "the chosen network")


def score_figure(search: Search, others: Sequence[CandidateRecord] = (), others_from: str = "") -> Figure:
    """Scores of the networks that a search kept, and of others from a file, against what they cost."""
    cost = "latency" if search.axis == "latency" else "cost"
    keys, text = _kept(search)
    if any(one.score_forward is not None for one in search.candidates):
        keys.append(Key("poor", "diamond", "forward passes ± standard error"))
    keys.append(CHOSEN)
    if others:
        keys.append(Key("quiet", "square", f"others in {others_from} within the other limits"))
    if search.limit is not None:
        keys.append(Key("ink", "dash", "limit"))
    return Figure(
        f"score-against-{cost}",
        f"Score against {cost}",
        f"{text} The line is the front.",
        tuple(keys),
        partial(score_against_cost, search=search, others=others),
    )


def _kept(search: Search) -> tuple[list[Key], str]:
    """The keys of the kept networks, and how they are drawn."""
    count = len(search.candidates)
    text = f"The {count} networks that the search kept, by their score in closed form."
    if search.axis != "latency":
        return [Key("good", "circle", "kept")], text
    measured = sum(not one.is_cost_predicted for one in search.candidates)
    if measured:
        text = f"The {count} networks that the search kept, {measured} of them at their measured latency."
    keys = [Key("good", "circle", "measured latency"), Key("good", "hollow", "predicted latency")]
    return keys[not measured : 1 + (measured < count)], text


def convergence_figure(search: Search) -> Figure:
    """The best score against candidates scored."""
    keys = [Key("good", "line", "best so far, closed form")]
    text = f"{search.evaluated:,} candidates were scored in {search.seconds:.1f} s."
    if search.rounds:
        keys.append(Key("quiet", "dash", "a round of measurements"))
        text += " The best score falls where measurements rule a network out."
    if search.score_forward is not None:
        keys.append(Key("poor", "diamond", "the winner by forward passes"))
    return Figure(
        "convergence",
        "Convergence of the search",
        text,
        tuple(keys),
        partial(convergence, search=search),
    )


def search_figure(search: Search) -> Figure:
    """The one figure that a search leaves beside its result: its front, else its convergence."""
    return score_figure(search) if search.is_front else convergence_figure(search)
