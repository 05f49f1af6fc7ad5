"""What a latency depends on, operation by operation, read off a workload's graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import log2, prod
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..zen.graph import (
    INPUT,
    Add,
    BatchNorm,
    Concat,
    Conv,
    GlobalAveragePool,
    Graph,
    GroupSoftmax,
    Linear,
    Multiply,
    Op,
    Pool,
    Slice,
    tap_shares,
)
from ..zen.outline import Outline, Polynomial, evaluate, filling, outline, polynomial
from ..zen.workload import Workload

Vector = NDArray[np.floating[Any]]

KINDS = ("image", "dense", "pointwise", "depthwise", "linear", "elementwise")
"""`image` is a convolution of very few channels, for which runtimes have kernels of their own."""

CHANNEL_GRANULE = 16
"""Kernels work on whole vectors of channels: 16 fp32 values fill an AVX-512 register. Rounding is a
feature beside the plain width, so a device with another granule is fitted, only with more noise."""
TILE = 32
"""Matrix kernels work on tiles of so many output channels where the registers allow it (XNNPACK's on AVX-512
do); what does not fill the last tile costs as much."""

_FEW_CHANNELS = 4
_LARGEST_TUNED = 5
"""XNNPACK has depthwise kernels written for 3x3 and 5x5. What is larger runs many times slower, taps on
padding included; a runtime without such a step is fitted with nought for it."""
_IMAGE, _DENSE, _POINTWISE, _DEPTHWISE, _LINEAR, _ELEMENTWISE = range(len(KINDS))
_STRIDED = _ELEMENTWISE  # the roofline's first column after the kinds that have MACs


@dataclass(frozen=True, slots=True)
class OpFeatures:
    """One operation that takes time.

    `kind`: its place in KINDS. `work`: the columns of the roofline (see `ROOFLINE`), in units that keep
    them near one. `point`: coordinates in which its efficiency varies smoothly: octaves of input channels,
    output channels, output size and (twice) kernel, the stride, what rounding wastes of the channels,
    (in twice the octaves) what padding wastes of the taps: some runtimes compute those too; and what the last
    tile of output channels wastes.
    """

    kind: int
    work: tuple[float, ...]
    point: tuple[float, ...]


ROOFLINE = (
    *(f"{kind} 10M MACs" for kind in KINDS[:5]),
    "strided dense 10M MACs",
    "100 kB of activations",
    "100 kB of depthwise activations",
    "100 kB of weights",
    "100 kB of linear weights",
    "operations",
    "large depthwise 10M taps",
)


class TimedOp(NamedTuple):
    """What of an operation decides how long it takes. In an outline, channels and groups may be marks."""

    form: Literal["conv", "linear", "elementwise"]
    channels_in: int
    channels_out: int
    size_in: int
    size: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1


def timed_ops(workload: Workload) -> Iterator[TimedOp]:
    """The operations of a unit that take time of their own."""
    found, widths = outline(workload)
    put = filling(widths).get
    for form, channels_in, channels_out, size_in, size, kernel, stride, groups in _timed_ops(found):
        yield TimedOp(
            form,
            put(channels_in, channels_in),
            put(channels_out, channels_out),
            size_in,
            size,
            kernel,
            stride,
            put(groups, groups),
        )


@lru_cache(maxsize=8192)
def _timed_ops(found: Outline) -> tuple[TimedOp, ...]:
    return graph_ops(found.graph)


def graph_ops(graph: Graph) -> tuple[TimedOp, ...]:
    """The operations of a graph that take time; activations and a batch norm behind a convolution are
    free, as runtimes fuse them."""
    shapes = {INPUT: graph.input_shape} | {op.name: op.shape for op in graph.ops}
    convolutions = {op.name for op in graph.ops if isinstance(op, Conv)}
    return tuple(
        _timed_op(op, shapes[op.inputs[0]])
        for op in graph.ops
        if isinstance(op, _TIMED) or (isinstance(op, BatchNorm) and op.inputs[0] not in convolutions)
    )


_TIMED = (Conv, Linear, Add, Multiply, GlobalAveragePool, Pool, Concat, Slice, GroupSoftmax)


def _timed_op(op: Op, input_shape: tuple[int, ...]) -> TimedOp:
    if isinstance(op, Conv):
        return TimedOp(
            "conv",
            input_shape[0],
            op.shape[0],
            input_shape[-1],
            op.shape[-1],
            op.kernel,
            op.stride,
            op.groups,
        )
    if isinstance(op, Linear):
        return TimedOp("linear", op.in_features, op.shape[0], 1, 1)
    return TimedOp("elementwise", input_shape[0], op.shape[0], input_shape[-1], op.shape[-1])


def workload_features(workload: Workload) -> tuple[OpFeatures, ...]:
    """The features of each operation of a unit that takes time of its own."""
    return tuple(map(op_features, timed_ops(workload)))


@lru_cache(maxsize=16_384)
def op_features(op: TimedOp) -> OpFeatures:
    form, channels_in, channels_out, size_in, size, kernel, stride, groups = op
    kind, per_output, padded = _ELEMENTWISE, 0.0, 1.0
    rounded_in, rounded_out = _rounded(channels_in), _rounded(channels_out)
    if form == "conv":
        # Taps on zero padding cost nothing: on the last, small maps that is most of a large kernel.
        per_output = sum(tap_shares(kernel, size_in, stride)) ** 2
        padded = kernel**2 / per_output
        if groups == channels_in > 1:
            kind = _DEPTHWISE
        else:
            if channels_in <= _FEW_CHANNELS:
                kind, rounded_in = _IMAGE, channels_in
            else:
                kind = _POINTWISE if kernel == 1 else _DENSE
            per_output *= rounded_in / groups
    elif form == "linear":
        kind, per_output = _LINEAR, rounded_in
    weights = rounded_out * per_output
    macs = weights * size * size / 1e7
    activations = 4e-5 * (rounded_in * size_in * size_in + rounded_out * size * size)
    work = [0.0] * len(ROOFLINE)
    if kind != _ELEMENTWISE:
        work[kind] = macs
    work[_STRIDED] = macs if kind == _DENSE and stride > 1 else 0.0
    work[_STRIDED + 1] = activations
    work[_STRIDED + 2] = activations if kind == _DEPTHWISE else 0.0
    work[_STRIDED + 3] = 4e-5 * weights
    work[_STRIDED + 4] = 4e-5 * weights if kind == _LINEAR else 0.0
    work[_STRIDED + 5] = 1.0
    if kind == _DEPTHWISE and kernel > _LARGEST_TUNED:
        work[_STRIDED + 6] = rounded_out * (kernel * size) ** 2 / 1e7
    point = (
        log2(channels_in),
        log2(channels_out),
        log2(size),
        2 * log2(kernel),
        stride - 1.0,
        2 * (rounded_out / channels_out - 1),
        2 * (_rounded(channels_in) / channels_in - 1),
        2 * log2(padded),
        2 * (_rounded(channels_out, TILE) / channels_out - 1),
    )
    return OpFeatures(kind, tuple(work), point)


def boundary_bytes(workload: Workload) -> int:
    """Bytes of activations that a unit timed alone reads and writes, fp32, one image."""
    found, widths = outline(workload)
    return 4 * evaluate(_boundary(found), (1, *widths))


@lru_cache(maxsize=8192)
def _boundary(found: Outline) -> Polynomial:
    return polynomial(prod(found.graph.input_shape) + prod(found.graph.output_shape))


def _rounded(channels: int, granule: int = CHANNEL_GRANULE) -> int:
    return -(-channels // granule) * granule
