"""The card of a finished training, as reports read it, and the names of what lies beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import UserError

WEIGHTS, HISTORY, CARD = "weights.safetensors", "history.csv", "training.json"


@dataclass(frozen=True)
class TrainingCard:
    """`train_top1` and `top1` are by epoch: on augmented training images, and on the test images."""

    network: str
    resolution: int
    classes: int
    data: str
    training_images: int
    test_images: int
    recipe: str
    seed: int
    precision: str
    train_top1: Sequence[float]
    top1: Sequence[float]
    top5: float
    seconds: float

    @property
    def standard_error(self) -> float:
        """Of the last top-1, from the number of test images (binomial)."""
        last = self.top1[-1]
        return float((last * (1 - last) / self.test_images) ** 0.5)


def read_card(path: Path) -> TrainingCard:
    """Raises UserError where the file is no card of this version."""
    try:
        data = json.loads(path.read_text("utf-8"))
        history = data["history"]
        return TrainingCard(
            network=str(data["network"]),
            resolution=int(data["resolution"]),
            classes=int(data["classes"]),
            data=str(data["data"]),
            training_images=int(data["training_images"]),
            test_images=int(data["test_images"]),
            seed=int(data["seed"]),
            precision=str(data["precision"]),
            recipe=str(data["recipe"]["name"]),
            train_top1=[float(one["train_top1"]) for one in history],
            top1=[float(one["top1"]) for one in history],
            top5=float(history[-1]["top5"]),
            seconds=sum(float(one["seconds"]) for one in history),
        )
    except (OSError, ValueError, RecursionError, LookupError, TypeError):
        raise UserError(f"{path} is no card of a training by this version; train again") from None
