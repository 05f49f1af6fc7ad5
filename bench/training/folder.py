"""What a training leaves in its folder: the weights with their card, the history, and the card to read."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from ...atomic import write_json, write_text
from ...errors import UserError
from ..export.weights_file import write_weights
from . import checkpoint
from .card import CARD, HISTORY, WEIGHTS
from .training import EpochRecord, Training, TrainingTask

_OTHERS = ("result.json", "search.json")
"""What a search has in its folder, whose history.csv is another one."""


def finished(folder: Path, task: TrainingTask) -> dict[str, Any] | None:
    """The card of this training where the folder holds it whole; None where it is still to be done, or the
    folder lacks the weights or the accuracies.

    Raises UserError where the folder holds another training, or a search.
    """
    if any((folder / name).exists() for name in _OTHERS):
        raise UserError(f"{folder} holds a search; give the training a folder of its own with --out")
    path = folder / CARD
    try:
        card: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        raise UserError(f"{path} is damaged; delete it to train from the start") from None
    if isinstance(card, dict) and not ((folder / WEIGHTS).exists() and _has_accuracies(card)):
        return None  # damaged: it is trained again
    if not isinstance(card, dict) or any(card.get(key) != value for key, value in task.to_json().items()):
        raise UserError(f"{folder} holds another finished training; give another --out")
    return card


def finish(training: Training, folder: Path) -> dict[str, Any]:
    """Writes all files, the card last, and discards the checkpoint; the card.

    `mean` and `std` normalise a channel of an image whose values are 0 to 1.
    """
    history = [asdict(record) for record in training.history]
    card = {**training.task.to_json(), **asdict(training.batches.statistics), "history": history}
    write_text(folder / HISTORY, _csv(history))
    write_weights(folder / WEIGHTS, training.module.state_dict(), card)
    write_json(folder / CARD, card)
    checkpoint.discard(folder)
    return card


def _has_accuracies(card: dict[str, Any]) -> bool:
    try:
        return all(
            0 <= float(one["top1"]) <= 1 and float(one["seconds"]) >= 0 for one in card["history"]
        ) and bool(card["history"])
    except (LookupError, TypeError, ValueError):
        return False


def _csv(history: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(EpochRecord)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()
