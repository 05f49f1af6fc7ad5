"""A picture of how a search went: the best score against candidates scored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...zen.search.run import SearchResult
from .picture import save_score_picture

if TYPE_CHECKING:
    from ...zen.search.rescoring import Rescored


def write_convergence(path: Path, result: SearchResult, winner: Rescored) -> list[str]:
    """Draws it; the names of the files written, none where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return []
    evaluated = [count for count, _ in result.history] + [result.evaluated]
    scores = [score for _, score in result.history]
    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.step(evaluated, [*scores, scores[-1]], where="post", label="best closed form", color="#1f5fa8")
    axes.errorbar(
        [result.evaluated],
        [winner.score_forward],
        yerr=[winner.score_forward_sem],
        fmt="o",
        capsize=3,
        color="#d1495b",
        label="winner by forward passes",
    )
    axes.set_xscale("log")
    axes.set_xlabel("candidates scored")
    axes.set_title(f"{result.evaluated:,} candidates in {result.seconds:.1f} s", loc="left")
    return save_score_picture(path, figure, axes)
