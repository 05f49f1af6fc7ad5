"""Exported files, run for what they compute: images in, scores out, whatever the precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...devices.host.litert import interpreter, silenced
from .weights import Array

Runner = Callable[[Array], Array]
"""Takes images of shape (K, C, H, W), whole batches of them, and gives what the file makes of them, in real
numbers."""
_NUMBERS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int8)": np.int8}


def onnx_runner(path: Path, scales: Mapping[str, float]) -> Runner:
    """Of a file that zenbench wrote, in onnxruntime on one thread; `scales` are its artifact's."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (given,), (result,) = session.get_inputs(), session.get_outputs()

    def run(x: Array) -> Array:
        answers = []
        for batch in np.split(x, len(x) // given.shape[0]):
            values = batch.astype(_NUMBERS[given.type])
            if scales:
                values = np.clip(np.rint(batch / scales[given.name]), -128, 127).astype(np.int8)
            (answer,) = session.run(None, {given.name: values})
            answers.append(answer.astype(np.float32) * np.float32(scales.get(result.name, 1)))
        return np.concatenate(answers)

    return run


def tflite_runner(path: Path) -> Runner:
    """Of any TFLite file of one input, in LiteRT on one thread."""
    _, module = interpreter()
    with silenced():
        runner = module.Interpreter(str(path), num_threads=1)
        runner.allocate_tensors()
    given, result = runner.get_input_details()[0], runner.get_output_details()[0]

    def run(x: Array) -> Array:
        answers = []
        for batch in np.split(x, len(x) // given["shape"][0]):
            runner.set_tensor(given["index"], _stored(np.moveaxis(batch, 1, -1), given))
            runner.invoke()
            answers.append(_real(runner.get_tensor(result["index"]), result))
        return np.moveaxis(np.concatenate(answers), -1, 1)

    return run


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
