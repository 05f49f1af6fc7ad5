"""Figure of a training: accuracy by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..training.card import TrainingCard
from .style import Chart, Palette, axis, chart, hover, rows
from .wording import percent


def accuracy_by_epoch(palette: Palette, card: TrainingCard) -> Chart:
    """Top-1 on the test images, and on the training images as they were changed at random."""
    tested, trained = (
        [
            {"epoch": epoch, "top1": 100 * share, "said": percent(share)}
            for epoch, share in enumerate(shares, 1)
        ]
        for shares in (card.top1, card.train_top1)
    )
    x = axis("epoch", "epoch", axis={"tickMinStep": 1, "format": "d"}, scale={"nice": False})
    y = axis("top1", "top-1, %", scale={"zero": False})

    def line(values: Sequence[Mapping[str, object]], colour: str, name: str, dash: list[int]) -> Chart:
        mark = {"type": "line", "color": colour, "strokeWidth": 2, "strokeDash": dash}
        return {
            "data": rows(values),
            "mark": {**mark, "point": {"color": colour, "size": 40 if len(values) < 30 else 1}},
            "encoding": {"x": x, "y": y, "tooltip": hover(("epoch", "epoch"), ("said", name))},
        }

    return chart(
        palette,
        [
            line(trained, palette.quiet, "training images", [4, 3]),
            line(tested, palette.good, "test images", [1, 0]),
        ],
        260,
    )
