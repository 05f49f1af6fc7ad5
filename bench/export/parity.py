"""Parity: does an exported file compute what torch computes?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SEED = 1
RELATIVE_LIMIT = 1e-4


@dataclass(frozen=True)
class Parity:
    """Largest absolute difference, and ||y - ref|| / ||ref||, on one Gaussian input."""

    max_error: float
    relative_error: float

    @property
    def holds(self) -> bool:
        return self.relative_error <= RELATIVE_LIMIT


def check_onnx(path: Path, module: Any, shape: tuple[int, ...]) -> Parity:
    """Runs an ONNX file in onnxruntime and its torch module on the same input of `shape` (batch first)."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return compare(lambda x: session.run(None, {session.get_inputs()[0].name: x})[0], module, shape)


def compare(
    run: Callable[[NDArray[np.float32]], NDArray[np.float32]], module: Any, shape: tuple[int, ...]
) -> Parity:
    import torch

    x = np.random.default_rng(_SEED).standard_normal(shape, dtype=np.float32)
    with torch.no_grad():
        reference = module(torch.from_numpy(x)).numpy()
    difference = run(x) - reference
    scale = float(np.linalg.norm(reference))
    return Parity(float(np.abs(difference).max()), float(np.linalg.norm(difference)) / max(scale, 1e-30))
