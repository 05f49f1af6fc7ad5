"""Convolutions and pools as TFLite operators, and the padding that their windows need."""

from __future__ import annotations

import numpy as np

from ...zen.graph import Conv, Pool
from .tflite_emitter import Emitter
from .weights import Array

_SAME, VALID = 0, 1
_LOWEST = float(np.finfo(np.float32).min)
_GROUPED_CONV_VERSION = 6


def convolution(out: Emitter, op: Conv) -> None:
    kernel = out.kernels[op.name]
    multiplier, rest = divmod(op.out_channels, op.in_channels)
    depthwise = op.groups == op.in_channels > 1 and rest == 0
    weight = kernel.weight.transpose((1, 2, 3, 0) if depthwise else (0, 2, 3, 1))
    x, padding = _padded(out, op)
    inputs = x, out.constant(f"{op.name}.weight", weight), out.constant(f"{op.name}.bias", kernel.bias)
    window = {"Padding": padding, "StrideW": op.stride, "StrideH": op.stride}
    if depthwise:
        window["DepthMultiplier"] = multiplier
        out.emit("DEPTHWISE_CONV_2D", inputs, kernel.output, "DepthwiseConv2DOptions", fields=window)
    else:
        version = 1 if op.groups == 1 else _GROUPED_CONV_VERSION
        out.emit("CONV_2D", inputs, kernel.output, "Conv2DOptions", fields=window, version=version)


def pool(out: Emitter, op: Pool, positive: bool) -> None:
    """`positive`: no value of the input is below nought."""
    x, padding = _padded(out, op, 0.0 if op.mode == "average" or positive else _LOWEST)
    kind = "MAX_POOL_2D" if op.mode == "max" else "AVERAGE_POOL_2D"
    window = {
        "Padding": padding,
        "StrideW": op.stride,
        "StrideH": op.stride,
        "FilterWidth": op.kernel,
        "FilterHeight": op.kernel,
    }
    if op.mode == "max" or x == op.inputs[0]:
        out.emit(kind, (x,), op.name, "Pool2DOptions", fields=window)
        return
    # The operator leaves out the padding that it adds itself, but counts the zeros of a PAD.
    counted = out.emit(kind, (x,), f"{op.name}.counted", "Pool2DOptions", op.shape, window)
    extents = out.shapes[op.inputs[0]][1:]
    rows, columns = (op.kernel / _taps_inside(extent, op.kernel, op.stride) for extent in extents)
    correction = out.constant(f"{op.name}.correction", np.outer(rows, columns)[None, :, :, None])
    out.emit("MUL", (counted, correction), op.name, "MulOptions")


def _padded(out: Emitter, op: Conv | Pool, fill: float = 0.0) -> tuple[str, int]:
    """The tensor that a window reads and the kind of padding that its operator adds.

    SAME pads what the windows need, the smaller half of it before the image. The graph pads (k - 1) / 2
    before it, which is the same unless a stride leaves the last rows out: then a PAD adds it.
    """
    (x,) = op.inputs
    channels, *extents = out.shapes[x]
    needed = [_needed(extent, op.kernel, op.stride) for extent in extents]
    if op.padding == 0 and not any(needed):
        return x, VALID
    if all(total // 2 == op.padding for total in needed):
        return x, _SAME
    amounts = [(op.padding, max(total - op.padding, 0)) for total in needed]
    counts = out.constant(f"{op.name}.pads", [(0, 0), *amounts, (0, 0)], "int32")
    shape = (channels, *(extent + sum(both) for extent, both in zip(extents, amounts, strict=True)))
    if fill:
        value = out.constant("lowest", fill)
        return out.emit("PADV2", (x, counts, value), f"{op.name}.padded", "PadV2Options", shape), VALID
    return out.emit("PAD", (x, counts), f"{op.name}.padded", "PadOptions", shape), VALID


def _needed(extent: int, kernel: int, stride: int) -> int:
    """Rows that the windows reach beyond the image, were the first to start at its edge."""
    outputs = (extent - 1) // stride + 1
    return max((outputs - 1) * stride + kernel - extent, 0)


def _taps_inside(extent: int, kernel: int, stride: int) -> Array:
    """For each window along one axis, how many of its taps lie on the image."""
    first = np.arange((extent - 1) // stride + 1) * stride - (kernel - 1) // 2
    inside: Array = np.minimum(first + kernel, extent) - np.maximum(first, 0)
    return inside
