"""Files of weights: safetensors with a card that says what they are and how images are normalised, and torch
state dicts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from warnings import catch_warnings, simplefilter

from ...atomic import write_bytes
from ...errors import UserError

SUFFIX = ".safetensors"
_CARD = "card"


def write_weights(path: Path, tensors: Mapping[str, Any], card: Mapping[str, Any]) -> None:
    """Tensors under the names of a torch module's state; the card as JSON in the file's metadata."""
    save = _library().torch.save
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, save(plain, {_CARD: json.dumps(card, allow_nan=False)}))


def read_weights(path: Path) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Torch tensors by name from a safetensors file or a torch state dict, and the card where there is one.

    Raises UserError where the file is missing, damaged or something else.
    """
    with _readable(path):
        return _read_safetensors(path) if path.suffix == SUFFIX else (_read_torch(path), None)


def weights_digest(path: Path) -> str:
    """SHA-256 of the file, in hexadecimal; raises UserError where it cannot be read."""
    with _readable(path):
        return hashlib.sha256(path.read_bytes()).hexdigest()


def trained_sizes(path: Path) -> tuple[int | None, int | None]:
    """Resolution and classes of the network that the weights were trained for; None where no card says so."""
    card = read_weights(path)[1] or {}
    found = (card.get("resolution"), card.get("classes"))
    return found if all(type(size) is int for size in found) else (None, None)


def _read_safetensors(path: Path) -> tuple[dict[str, Any], dict[str, Any] | None]:
    library = _library()
    try:
        with library.safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
            card = json.loads((file.metadata() or {}).get(_CARD, "null"))
    except (library.SafetensorError, ValueError, RecursionError):
        raise UserError(f"{path} is no whole safetensors file; write it again") from None
    return tensors, card if isinstance(card, dict) else None


def _read_torch(path: Path) -> dict[str, Any]:
    import torch

    advice = 'save it with torch.save(module.state_dict(), "weights.pt")'
    try:
        with catch_warnings():
            simplefilter("ignore")  # of a TorchScript archive, which is refused below
            state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, ValueError, KeyError):
        raise UserError(f"{path} is not a file of torch weights; {advice}") from None
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    ):
        raise UserError(f"{path} holds something other than named tensors; {advice}")
    return state


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"there is no weights file {path}") from None
    except OSError as error:
        raise UserError(f"the weights file {path} cannot be read: {error.strerror or error}") from None


def _library() -> Any:
    try:
        import safetensors.torch
    except ImportError:
        raise UserError("safetensors is missing; install it with: pip install 'zenbench[train]'") from None
    return safetensors
