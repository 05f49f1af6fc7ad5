"""Parity: does an exported file compute what torch computes?"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from math import log10
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...devices.base import Artifact
from ...zen.threads import few_threads
from .running import Runner, onnx_runner, tflite_runner
from .weights import Array

_SEED = 1
LIMITS = {"fp32": 1e-4, "fp16": 0.1, "int8": 0.7}
"""Largest relative error by precision. fp16 rounds weights to 2^-12, and deep networks amplify that a hundred
times. What int8 costs depends on the weights, so its limit only tells a broken file (about 1) from a coarse
one."""
_OWN_ERRORS = 5
"""How many times torch's own error a file may differ from torch: some networks amplify the rounding of either
beyond the limit."""


@dataclass(frozen=True)
class Parity:
    """Largest absolute difference, and ||y - ref|| / ||ref||, on inputs that nothing was calibrated on.

    `torch_error` is the relative error of the reference itself, torch in fp32, against torch in fp64.
    """

    max_error: float
    relative_error: float
    torch_error: float
    precision: str = "fp32"

    @property
    def limit(self) -> float:
        return max(LIMITS[self.precision], _OWN_ERRORS * self.torch_error)

    @property
    def holds(self) -> bool:
        return self.relative_error <= self.limit

    @property
    def snr_db(self) -> float | None:
        """Signal-to-noise ratio in dB; None where nothing differs."""
        return -20 * log10(self.relative_error) if self.relative_error else None


def check_onnx(artifact: Artifact, module: Any, x: Array) -> Parity:
    """Runs an ONNX file in onnxruntime and its torch module on the same images of shape (K, C, H, W)."""
    return compare(onnx_runner(artifact.path), module, x, artifact.precision)


def check_tflite(path: Path, module: Any, x: Array, precision: str) -> Parity:
    """Runs a TFLite file in LiteRT and its torch module on the same images of shape (K, C, H, W)."""
    return compare(tflite_runner(path), module, x, precision)


def gaussian(shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(_SEED).standard_normal(shape, dtype=np.float32)


def compare(run: Runner, module: Any, x: Array, precision: str = "fp32") -> Parity:
    import torch

    with torch.no_grad(), few_threads():
        reference = module(torch.from_numpy(x)).numpy()
        exact = deepcopy(module).double()(torch.from_numpy(x).double()).numpy()
    y = run(x)
    return Parity(
        float(np.abs(y - reference).max()), _distance(y, reference), _distance(reference, exact), precision
    )


def _distance(y: NDArray[Any], reference: NDArray[Any]) -> float:
    """||y - ref|| / ||ref||."""
    return float(np.linalg.norm(y - reference)) / max(float(np.linalg.norm(reference)), 1e-30)
