"""Narrower TFLite files: weights in fp16, or everything in int8 by post-training quantisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np

from ...devices.host.litert import silenced
from ...errors import DeviceError, UserError, first_line
from .tflite_file import SIGNATURE, Model, Operator, Tensor
from .weights import Array

_BATCHES = 16
"""Gaussian batches that ranges are taken from: with 4 a trained network has 19 dB, with 16 it has 29."""
_SEED = 2
_DEQUANTIZE_FP16_VERSION = 3


def halve(model: Model) -> Model:
    """The model with its weights and biases in fp16, each with a DEQUANTIZE back to fp32 behind it.

    It computes in fp32, where a runtime has no better; LiteRT dequantises constants once, as it loads.
    """
    halved = replace(model, tensors={}, operators=[])
    for name, tensor in model.tensors.items():
        if tensor.values is None or tensor.dtype != "float32" or tensor.values.ndim == 0:
            halved.tensors[name] = tensor
            continue
        half = f"{name}.half"
        halved.tensors[half] = Tensor(tensor.shape, "float16", tensor.values.astype(np.float16))
        halved.tensors[name] = Tensor(tensor.shape)
        halved.operators.append(
            Operator("DEQUANTIZE", (half,), name, "DequantizeOptions", version=_DEQUANTIZE_FP16_VERSION)
        )
    halved.operators += model.operators
    return halved


def quantise(data: bytes, batches: Sequence[Array]) -> bytes:
    """The bytes of a TFLite file in int8, inputs and outputs too: weights with a scale a channel, every
    other tensor with one whose range the batches give. Operators without int8 kernels stay in fp32.

    Raises DeviceError where the quantizer fails: 0.10 does on convolutions with more than 32 MiB of weights.
    """
    try:
        from ai_edge_quantizer import quantizer, recipe
    except ImportError:
        raise UserError(
            "int8 files need the quantizer; install it with: pip install ai-edge-quantizer"
        ) from None
    with silenced(), catch_warnings():
        simplefilter("ignore")
        tool = quantizer.Quantizer(bytearray(data), recipe.static_wi8_ai8())
        seen = [tool.calibrate({SIGNATURE: [{"input": batch}]}, num_threads=1) for batch in batches]
        try:
            result = tool.quantize(_over_all(seen), enable_progress_report=False)
        except (ValueError, RuntimeError) as error:
            raise DeviceError(f"ai-edge-quantizer failed: {first_line(error)}") from error
    return bytes(result.quantized_model)


def _over_all(ranges: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The range of each tensor over all batches.

    Of several batches at once ai-edge-quantizer 0.10 takes a moving average of the extremes, which clips what
    is larger than in the average image: calibrated on 256 images, one a batch, a network trained on CIFAR-10
    lost 2.4 points of top-1. With this it loses 0.1.
    """
    found = {}
    for name, first in ranges[0].items():
        least, most = (np.stack([one[name][end] for one in ranges]) for end in ("min", "max"))
        found[name] = {**first, "min": least.min(0), "max": most.max(0)}
    return found


def gaussian_batches(shape: tuple[int, ...], count: int = _BATCHES, seed: int = _SEED) -> list[Array]:
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape, np.float32) for _ in range(count)]


def read_batches(path: Path, batch: int, shape: tuple[int, ...]) -> list[Array]:
    """A user's images for calibration, an array of shape (K, C, H, W) in a .npy or .npz file, as batches of
    shape (N, C, H, W); images that fill no batch are left out. Raises UserError where there are fewer than
    two batches: one is kept for the check."""
    try:
        held = np.load(path, allow_pickle=False)
        images = next(iter(held.values())) if isinstance(held, np.lib.npyio.NpzFile) else held
    except (OSError, ValueError, EOFError, StopIteration) as error:
        reason = (
            error.strerror if isinstance(error, OSError) and error.strerror else "no numbers in NumPy's form"
        )
        raise UserError(f"{path} cannot be read: {reason}") from None
    if images.ndim != 4 or images.shape[1:] != shape or not np.issubdtype(images.dtype, np.floating):
        raise UserError(
            f"{path} holds {images.dtype} of shape {images.shape}; calibration takes floats of shape "
            f"(K, {', '.join(map(str, shape))})"
        )
    count = len(images) // batch
    if count < 2:
        raise UserError(f"{path} holds {len(images)} images; give at least {2 * batch}, two batches")
    if not np.isfinite(images).all():
        raise UserError(f"{path} holds values that are no numbers")
    return list(images[: count * batch].astype(np.float32).reshape(count, batch, *shape))
