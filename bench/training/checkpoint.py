"""Checkpoint: where a training is, in one file that is there whole or not at all."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from ...atomic import write_bytes
from ...errors import UserError

NAME = "checkpoint.pt"


def save(folder: Path, task: dict[str, Any], state: dict[str, Any]) -> None:
    """Writes the state of a task; raises UserError where the disk is full."""
    buffer = BytesIO()
    torch.save({"task": task, "state": state}, buffer)
    write_bytes(folder / NAME, buffer.getvalue())


def resume(folder: Path, task: dict[str, Any]) -> dict[str, Any] | None:
    """The state of this task; None where none was saved.

    Raises UserError where it is of another task or damaged.
    """
    path = folder / NAME
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except (OSError, UnpicklingError, RuntimeError, EOFError, ValueError, KeyError):
        raise UserError(f"{path} is damaged; delete it to train from the start") from None
    if not isinstance(saved, dict) or not isinstance(saved.get("state"), dict):
        raise UserError(f"{path} is no checkpoint of zenbench; give another --out")
    if saved.get("task") != task:
        theirs = saved.get("task") or {}
        name = next((key for key in task if theirs.get(key) != task[key]), "task")
        raise UserError(
            f"{folder} holds a training with another {name.replace('_', ' ')}; "
            "give another --out, or the same options to go on with it"
        )
    state: dict[str, Any] = saved["state"]
    return state


def discard(folder: Path) -> None:
    (folder / NAME).unlink(missing_ok=True)
