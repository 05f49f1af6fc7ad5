"""Figure of a search's history."""

from __future__ import annotations

from ..refining.loop import evaluation_goals
from ..searching.reading import Search
from .search import forward_score, score_axis
from .style import Chart, Palette, axis, chart, hover, rows, spread_scale


def convergence(palette: Palette, search: Search) -> Chart:
    """The best score in closed form against candidates scored, and the winner by forward passes, if known.

    It falls where a round of measurements, a vertical line, found that the best was predicted too fast.
    """
    history = [(count, score) for count, score in search.history if count > 0]
    history.append((search.evaluated, search.history[-1][1]))
    scale, look = spread_scale(history[0][0], search.evaluated * 1.1)

    def across() -> Chart:
        return axis("evaluated", "candidates scored", scale=scale, axis={"format": "~s", **look})

    def place(y: str) -> Chart:
        return {"x": across(), "y": score_axis(y)}

    points = [
        {"evaluated": count, "score": score, "said": f"{score:.2f}", "after": f"{count:,} candidates"}
        for count, score in history
    ]
    rounds = [
        {"evaluated": count, "round": f"round {number} of measurements", "after": f"{count:,} candidates"}
        for number, count in enumerate(evaluation_goals(search.evaluations)[: search.rounds], 1)
        if count <= search.evaluated
    ]
    is_known = search.score_forward is not None
    winner = [{"evaluated": search.evaluated, **forward_score(search)}] if is_known else []
    return chart(
        palette,
        [
            {
                "data": rows(rounds),
                "mark": {"type": "rule", "color": palette.quiet, "strokeDash": [4, 3], "strokeWidth": 1},
                "encoding": {"x": across(), "tooltip": hover(("round", "measured"), ("after", "after"))},
            },
            {
                "data": rows(points),
                "mark": {
                    "type": "line",
                    "interpolate": "step-after",
                    "color": palette.good,
                    "strokeWidth": 2,
                    "point": {"opacity": 0, "size": 120},
                },
                "encoding": {
                    **place("score"),
                    "tooltip": hover(("after", "after"), ("said", "best score")),
                },
            },
            {
                "data": rows(winner),
                "mark": {"type": "rule", "color": palette.poor, "strokeWidth": 1.5},
                "encoding": {**place("low"), "y2": {"field": "high"}},
            },
            {
                "data": rows(winner),
                "mark": {
                    "type": "point",
                    "shape": "diamond",
                    "filled": True,
                    "size": 80,
                    "color": palette.poor,
                },
                "encoding": {
                    **place("forward"),
                    "tooltip": hover(("said", "winner by forward passes")),
                },
            },
        ],
        260,
    )
