"""Weights as a safetensors file, with a card that says what they are and how images are normalised."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...atomic import write_bytes
from ...errors import UserError

SUFFIX = ".safetensors"
_CARD = "card"


def write_weights(path: Path, tensors: Mapping[str, Any], card: Mapping[str, Any]) -> None:
    """Tensors under the names of a torch module's state; the card as JSON in the file's metadata."""
    save = _library("torch").save
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, save(plain, {_CARD: json.dumps(card, allow_nan=False)}))


def read_weights(path: Path) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Torch tensors by name, and the card where the file has one of ours.

    Raises UserError where the file is missing or damaged.
    """
    open_file = _library("").safe_open
    try:
        with open_file(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
            card = json.loads((file.metadata() or {}).get(_CARD, "null"))
    except FileNotFoundError:
        raise UserError(f"there is no weights file {path}") from None
    except OSError as error:
        raise UserError(f"the weights file {path} cannot be read: {error.strerror or error}") from None
    except (_library("").SafetensorError, ValueError, RecursionError):
        raise UserError(f"{path} is not a whole safetensors file; write it again") from None
    return tensors, card if isinstance(card, dict) else None


def _library(part: str) -> Any:
    try:
        import safetensors.torch
    except ImportError:
        raise UserError("safetensors is missing; install it with: pip install 'zenbench[train]'") from None
    return safetensors.torch if part else safetensors
