"""Convolutions and pools as TFLite operators, and the padding that their windows need."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...zen.graph import Conv, Pool
from ...zen.windows import reach_of
from .tflite_emitter import Emitter
from .weights import Array

_SAME, VALID = 0, 1
_LOWEST = float(np.finfo(np.float32).min)
_GROUPED_CONV_VERSION = 6
_DILATED_DEPTHWISE_VERSION = 2


def convolution(out: Emitter, op: Conv) -> None:
    kernel = out.kernels[op.name]
    multiplier, rest = divmod(op.out_channels, op.in_channels)
    depthwise = op.groups == op.in_channels > 1 and rest == 0
    weight = kernel.weight.transpose((1, 2, 3, 0) if depthwise else (0, 2, 3, 1))
    x, padding = _padded(out, op)
    inputs = x, out.constant(f"{op.name}.weight", weight), out.constant(f"{op.name}.bias", kernel.bias)
    window = {"Padding": padding, "StrideW": op.stride, "StrideH": op.stride}
    version = 1
    if op.dilation != 1:
        window |= {"DilationWFactor": op.dilation, "DilationHFactor": op.dilation}
    if depthwise:
        window["DepthMultiplier"] = multiplier
        version = 1 if op.dilation == 1 else _DILATED_DEPTHWISE_VERSION
        kind, options = "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions"
    else:
        version = 1 if op.groups == 1 else _GROUPED_CONV_VERSION
        kind, options = "CONV_2D", "Conv2DOptions"
    out.emit(kind, inputs, kernel.output, options, fields=window, version=version)


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
    if op.mode == "max" or op.counts_padding or x == op.inputs[0]:
        out.emit(kind, (x,), op.name, "Pool2DOptions", fields=window)
        return
    # The operator leaves out the padding that it adds itself, but counts the zeros of a PAD.
    counted = out.emit(kind, (x,), f"{op.name}.counted", "Pool2DOptions", op.shape, window)
    factors = out.constant(f"{op.name}.correction", correction(op, out.shapes[op.inputs[0]][1:]))
    out.emit("MUL", (counted, factors), op.name, "MulOptions")


def correction(op: Pool, extents: Sequence[int]) -> Array:
    """What makes an average that counts its padding one that does not: a factor a place, (1, H, W, 1)."""
    rows, columns = (op.kernel / _taps_inside(op, axis, extent) for axis, extent in enumerate(extents))
    return np.outer(rows, columns)[None, :, :, None].astype(np.float32)


def _padded(out: Emitter, op: Conv | Pool, fill: float = 0.0) -> tuple[str, int]:
    """The tensor that a window reads and the kind of padding that its operator adds.

    SAME gives ceil(size / stride) windows and pads what they need, the smaller half of it before the image.
    Any other padding is a PAD before.
    """
    (x,) = op.inputs
    channels, *extents = out.shapes[x]
    reach = reach_of(op.kernel, op.dilation if isinstance(op, Conv) else 1)
    before = op.padding[:2]
    # Rows that the windows reach beyond the image's end, after those before it.
    after = [
        max((count - 1) * op.stride + reach - start - extent, 0)
        for count, start, extent in zip(op.shape[1:], before, extents, strict=True)
    ]
    if not any(before) and not any(after):
        return x, VALID
    counts = isinstance(op, Pool) and op.counts_padding
    same = all(
        count == (extent - 1) // op.stride + 1
        and start == max((count - 1) * op.stride + reach - extent, 0) // 2
        for count, start, extent in zip(op.shape[1:], before, extents, strict=True)
    )
    if same and not counts:
        return x, _SAME
    amounts = list(zip(before, after, strict=True))
    pads = out.constant(f"{op.name}.pads", [(0, 0), *amounts, (0, 0)], "int32")
    shape = (channels, *(extent + sum(both) for extent, both in zip(extents, amounts, strict=True)))
    if fill:
        value = out.constant("lowest", fill)
        return out.emit("PADV2", (x, pads, value), f"{op.name}.padded", "PadV2Options", shape), VALID
    return out.emit("PAD", (x, pads), f"{op.name}.padded", "PadOptions", shape), VALID


def _taps_inside(op: Pool, axis: int, extent: int) -> Array:
    """For each window along an axis, how many of its taps lie on the image."""
    first = np.arange(op.shape[1 + axis]) * op.stride - op.padding[axis]
    inside: Array = np.minimum(first + op.kernel, extent) - np.maximum(first, 0)
    return inside
