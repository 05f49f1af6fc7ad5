"""Exported files, run for what they compute: images in, scores out, whatever the precision."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...devices.host.litert import interpreter, silenced
from ...errors import DeviceError, UserError, first_line
from ...quantities import count_of
from . import SCALES_KEY
from .weights import Array

Runner = Callable[[Array], Array]
"""Takes images of shape (K, C, H, W), whole batches of them, and gives what the file makes of them, in real
numbers. Raises DeviceError where the runtime fails."""
_NUMBERS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int8)": np.int8}


def onnx_runner(path: Path) -> Runner:
    """Of a file of one input and output, in onnxruntime on one thread; int8 by the scales in its metadata.

    Images go in channels first, or last where only that fits. A free batch is one image. Raises UserError
    where the file has another form, DeviceError where onnxruntime refuses it.
    """
    import onnxruntime

    from ...devices.host.onnxruntime import session_options

    with _told("onnxruntime", path):
        session = onnxruntime.InferenceSession(
            str(path), session_options(1), providers=["CPUExecutionProvider"]
        )
    given, result = _ends(path, session.get_inputs(), session.get_outputs())
    scales = json.loads(session.get_modelmeta().custom_metadata_map.get(SCALES_KEY, "{}"))
    if given.type not in _NUMBERS or (given.type == "tensor(int8)" and given.name not in scales):
        raise UserError(f"{path} takes {given.type}; give a file that takes float")
    size = given.shape[0] if isinstance(given.shape[0], int) else 1

    def run(x: Array) -> Array:
        answers = []
        for batch in np.split(x if given.shape[1] == x.shape[1] else np.moveaxis(x, 1, -1), len(x) // size):
            values = batch.astype(_NUMBERS[given.type])
            if scales:
                values = np.clip(np.rint(batch / scales[given.name]), -128, 127).astype(np.int8)
            with _told("onnxruntime", path):
                (answer,) = session.run(None, {given.name: values})
            answers.append(answer.astype(np.float32) * np.float32(scales.get(result.name, 1)))
        return np.concatenate(answers)

    return run


def tflite_runner(path: Path) -> Runner:
    """Of a file of one input and output, in LiteRT on one thread.

    Images go in channels last, or first where only that fits. Raises UserError where the file has another
    form, DeviceError where LiteRT refuses it.
    """
    _, module = interpreter()
    with silenced(), _told("LiteRT", path):
        # Not by its path: LiteRT verifies only what it is given as bytes.
        runner = module.Interpreter(model_content=path.read_bytes(), num_threads=1)
        runner.allocate_tensors()
    given, result = _ends(path, runner.get_input_details(), runner.get_output_details())
    if given["dtype"] not in (np.float32, np.int8):
        raise UserError(f"{path} takes {given['dtype'].__name__}; give a file that takes float or int8")

    def run(x: Array) -> Array:
        images = np.moveaxis(x, 1, -1) if given["shape"][-1] == x.shape[1] else x
        answers = []
        for batch in np.split(images, len(x) // given["shape"][0]):
            with _told("LiteRT", path):
                runner.set_tensor(given["index"], _stored(batch, given))
                runner.invoke()
            answers.append(_real(runner.get_tensor(result["index"]), result))
        return np.moveaxis(np.concatenate(answers), -1, 1)

    return run


def _ends(path: Path, inputs: Sequence[Any], outputs: Sequence[Any]) -> tuple[Any, Any]:
    if (len(inputs), len(outputs)) != (1, 1):
        found = f"{count_of(len(inputs), 'input')} and {count_of(len(outputs), 'output')}"
        raise UserError(f"{path} has {found}; give a file with one of each")
    return inputs[0], outputs[0]


@contextmanager
def _told(runtime: str, path: Path) -> Iterator[None]:
    """What a runtime says of a file as a DeviceError."""
    try:
        yield
    except Exception as error:
        raise DeviceError(f"{runtime} refused {path}: {first_line(error)}") from error


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
