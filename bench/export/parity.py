"""Parity: does an exported file compute what torch computes?"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from math import log10
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...devices.base import Artifact
from ...devices.host.litert import interpreter, silenced
from ...zen.threads import few_threads
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
    return compare(lambda x: run_onnx(artifact, x), module, x, artifact.precision)


def run_onnx(artifact: Artifact, x: Array) -> Array:
    """What an ONNX file that zenbench wrote makes of images, batch after batch, in real numbers."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(artifact.path), options, providers=["CPUExecutionProvider"])
    (given,), (result,) = session.get_inputs(), session.get_outputs()
    answers = []
    for batch in np.split(x, len(x) // artifact.batch):
        values = batch.astype(artifact.inputs[0].dtype)
        if artifact.scales:
            values = np.clip(np.rint(batch / artifact.scales[given.name]), -128, 127).astype(np.int8)
        (answer,) = session.run(None, {given.name: values})
        answers.append(answer.astype(np.float32) * np.float32(artifact.scales.get(result.name, 1)))
    return np.concatenate(answers)


def check_tflite(path: Path, module: Any, x: Array, precision: str) -> Parity:
    """Runs a TFLite file in LiteRT and its torch module on the same images of shape (K, C, H, W)."""
    return compare(lambda x: run_tflite(path, x), module, x, precision)


def run_tflite(path: Path, x: Array) -> Array:
    """What a file makes of images, batch after batch; both as torch has them: (K, C, H, W), real numbers."""
    _, module = interpreter()
    with silenced():
        runner = module.Interpreter(str(path), num_threads=1)
        runner.allocate_tensors()
        given, result = runner.get_input_details()[0], runner.get_output_details()[0]
        answers = []
        for batch in np.split(x, len(x) // given["shape"][0]):
            runner.set_tensor(given["index"], _stored(np.moveaxis(batch, 1, -1), given))
            runner.invoke()
            answers.append(_real(runner.get_tensor(result["index"]), result))
    return np.moveaxis(np.concatenate(answers), -1, 1)


def _stored(values: Array, tensor: dict[str, Any]) -> NDArray[Any]:
    if tensor["dtype"] is not np.int8:
        return np.ascontiguousarray(values)
    scale, zero = tensor["quantization"]
    stored: NDArray[Any] = np.clip(np.rint(values / scale) + zero, -128, 127).astype(np.int8)
    return stored


def _real(values: NDArray[Any], tensor: dict[str, Any]) -> Array:
    if tensor["dtype"] is not np.int8:
        return values
    scale, zero = tensor["quantization"]
    real: Array = (values.astype(np.float32) - zero) * np.float32(scale)
    return real


def gaussian(shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(_SEED).standard_normal(shape, dtype=np.float32)


def compare(run: Callable[[Array], Array], module: Any, x: Array, precision: str = "fp32") -> Parity:
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
