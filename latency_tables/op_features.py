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
    Activation,
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

KINDS = (
    "image",
    "dense",
    "grouped",
    "pointwise",
    "depthwise",
    "linear",
    "elementwise",
    "pooling",
    "copying",
    "swish",
    "hard-swish",
)
"""`image` is a convolution of very few channels, for which runtimes have kernels of their own; many have none
for groups and run these one after the other. `copying` is what joins and parts channels. Runtimes fuse a
ReLU, but not these activations."""

KINDS_WITH_MACS = 6
"""The first so many kinds, each of which has a column of the roofline."""

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
_PLACE = {kind: place for place, kind in enumerate(KINDS)}
_IMAGE, _DENSE, _GROUPED, _POINTWISE, _DEPTHWISE, _LINEAR, _ELEMENTWISE, _POOLING, _COPYING, *_ = range(
    len(KINDS)
)
_STRIDED = KINDS_WITH_MACS


@dataclass(frozen=True, slots=True)
class OpFeatures:
    """One operation that takes time.

    `kind`: its place in KINDS. `work`: the columns of the roofline (see `ROOFLINE`), in units that keep
    them near one. `point`: coordinates in which its efficiency varies smoothly: octaves of input channels (of
    one group), output channels, output size and (twice) kernel, the stride, what rounding wastes of the
    channels, (in twice the octaves) what padding wastes of the taps: some runtimes compute those too; and
    what the last tile of output channels wastes.
    """

    kind: int
    work: tuple[float, ...]
    point: tuple[float, ...]


ROOFLINE = (
    *(f"{kind} 10M MACs" for kind in KINDS[:KINDS_WITH_MACS]),
    "strided dense 10M MACs",
    "100 kB of activations",
    "100 kB of depthwise activations",
    "100 kB of weights",
    "100 kB of linear weights",
    "operations",
    "large depthwise 10M taps",
    "100 kB of pooled activations",
    "100 kB of copied activations",
    "100 kB of swish",
    "100 kB of hard-swish",
)


class TimedOp(NamedTuple):
    """What of an operation decides how long it takes. In an outline, channels and groups may be marks."""

    form: Literal["conv", "linear", "elementwise", "pooling", "copying", "swish", "hard-swish"]
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
    """The operations of a graph that take time; a ReLU, the activation of a gate and a batch norm behind a
    convolution are free, as runtimes fuse them or they are of no size."""
    shapes = {INPUT: graph.input_shape} | {op.name: op.shape for op in graph.ops}
    convolutions = {op.name for op in graph.ops if isinstance(op, Conv)}
    return tuple(
        _timed_op(op, shapes[op.inputs[0]])
        for op in graph.ops
        if isinstance(op, _TIMED)
        or (isinstance(op, BatchNorm) and op.inputs[0] not in convolutions)
        or (isinstance(op, Activation) and op.function in _PLACE)
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
    moved = (input_shape[0], op.shape[0], input_shape[-1], op.shape[-1])
    if isinstance(op, Concat | Slice):
        return TimedOp("copying", *moved)
    if isinstance(op, Activation):
        return TimedOp("swish" if op.function == "swish" else "hard-swish", *moved)
    if isinstance(op, Pool | GlobalAveragePool):
        return TimedOp("pooling", *moved, kernel=op.kernel if isinstance(op, Pool) else 1)
    return TimedOp("elementwise", *moved)


def workload_features(workload: Workload) -> tuple[OpFeatures, ...]:
    """The features of each operation of a unit that takes time of its own."""
    return tuple(map(op_features, timed_ops(workload)))


@lru_cache(maxsize=16_384)
def op_features(op: TimedOp) -> OpFeatures:
    form, channels_in, channels_out, size_in, size, kernel, stride, groups = op
    kind, per_output, padded = _PLACE.get(form, _ELEMENTWISE), 0.0, 1.0
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
            elif groups > 1:
                kind, rounded_in, rounded_out = _GROUPED, channels_in, channels_out
            else:
                kind = _POINTWISE if kernel == 1 else _DENSE
            per_output *= rounded_in / groups
    elif form == "linear":
        kind, per_output = _LINEAR, rounded_in
    weights = rounded_out * per_output
    macs = weights * size * size / 1e7
    activations = 4e-5 * (rounded_in * size_in * size_in + rounded_out * size * size)
    work = [0.0] * len(ROOFLINE)
    if kind < KINDS_WITH_MACS:
        work[kind] = macs
    work[_STRIDED] = macs if kind == _DENSE and stride > 1 else 0.0
    work[_STRIDED + 1] = activations
    work[_STRIDED + 2] = activations if kind == _DEPTHWISE else 0.0
    work[_STRIDED + 3] = 4e-5 * weights
    work[_STRIDED + 4] = 4e-5 * weights if kind == _LINEAR else 0.0
    work[_STRIDED + 5] = 1.0
    if kind == _DEPTHWISE and kernel > _LARGEST_TUNED:
        work[_STRIDED + 6] = rounded_out * (kernel * size) ** 2 / 1e7
    if kind >= _POOLING:
        work[_STRIDED + 7 + kind - _POOLING] = activations
    # Of groups, the width says all that rounding would.
    waste = [0.0] * 3
    if kind != _GROUPED:
        waste = [
            rounded / channels - 1
            for rounded, channels in (
                (rounded_out, channels_out),
                (_rounded(channels_in), channels_in),
                (_rounded(channels_out, TILE), channels_out),
            )
        ]
    point = (
        log2(channels_in / groups if kind == _GROUPED else channels_in),
        log2(channels_out),
        log2(size),
        2 * log2(kernel),
        stride - 1.0,
        2 * waste[0],
        2 * waste[1],
        2 * log2(padded),
        2 * waste[2],
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
