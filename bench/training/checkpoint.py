"""Checkpoint: where a training is, in one file that is there whole or not at all."""

from __future__ import annotations

from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from ...atomic import write_bytes
from ...errors import UserError

NAME = "checkpoint.pt"
_DIGEST_BYTES = 32
"""Of the SHA-256 before the rest, which is a file of torch's."""


def save(folder: Path, task: dict[str, Any], state: dict[str, Any]) -> None:
    """Writes the state of a task; raises UserError where the disk is full."""
    buffer = BytesIO()
    torch.save({"task": task, "state": state}, buffer)
    data = buffer.getvalue()
    write_bytes(folder / NAME, sha256(data).digest() + data)


def resume(folder: Path, task: dict[str, Any]) -> dict[str, Any] | None:
    """The state of this task; None where none was saved.

    Raises UserError where it is of another task or damaged.
    """
    path = folder / NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    digest, data = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if sha256(data).digest() != digest:  # torch checks nothing of the kind
        raise UserError(f"{path} is damaged; delete it to train from the start")
    saved = torch.load(BytesIO(data), map_location="cpu", weights_only=True)
    if saved["task"] != task:
        theirs = saved["task"]
        name = next((key for key in task if theirs.get(key) != task[key]), "task")
        raise UserError(
            f"{folder} holds a training with another {name.replace('_', ' ')}; "
            "give another --out, or the same options to go on with it"
        )
    state: dict[str, Any] = saved["state"]
    return state


def discard(folder: Path) -> None:
    (folder / NAME).unlink(missing_ok=True)
