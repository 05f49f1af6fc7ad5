"""What a latency depends on, operation by operation, read off a workload's graph."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log2, prod
from typing import Any

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
from ..zen.workload import Workload

Vector = NDArray[np.floating[Any]]

KINDS = ("image", "dense", "pointwise", "depthwise", "linear", "elementwise")
"""`image` is a convolution of very few channels, for which runtimes have kernels of their own."""

CHANNEL_GRANULE = 16
"""Kernels work on whole vectors of channels: 16 fp32 values fill an AVX-512 register. Rounding is a
feature beside the plain width, so a device with another granule is fitted, only with more noise."""


_FEW_CHANNELS = 4
_IMAGE, _DENSE, _POINTWISE, _DEPTHWISE, _LINEAR, _ELEMENTWISE = range(len(KINDS))
_STRIDED = _ELEMENTWISE  # the roofline's first column after the kinds that have MACs


@dataclass(frozen=True, slots=True)
class OpFeatures:
    """One operation that takes time.

    `kind`: its place in KINDS. `work`: the columns of the roofline (see `ROOFLINE`), in units that keep
    them near one. `point`: coordinates in which its efficiency varies smoothly: octaves of input channels,
    output channels, output size and (twice) kernel, the stride, and what rounding wastes of the channels.
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
)


@lru_cache(maxsize=262_144)
def workload_features(workload: Workload) -> tuple[OpFeatures, ...]:
    """The features of each operation of a unit that takes time of its own."""
    return graph_features(workload.graph())


def graph_features(graph: Graph) -> tuple[OpFeatures, ...]:
    """The features of a graph; activations and a batch norm behind a convolution are free, as runtimes
    fuse them."""
    shapes = {INPUT: graph.input_shape} | {op.name: op.shape for op in graph.ops}
    convolutions = {op.name for op in graph.ops if isinstance(op, Conv)}
    return tuple(
        _features(op, shapes[op.inputs[0]])
        for op in graph.ops
        if isinstance(op, _TIMED) or (isinstance(op, BatchNorm) and op.inputs[0] not in convolutions)
    )


_TIMED = (Conv, Linear, Add, Multiply, GlobalAveragePool, Pool, Concat, Slice, GroupSoftmax)


def boundary_bytes(workload: Workload) -> int:
    """Bytes of activations that a unit timed alone reads and writes, fp32, one image."""
    graph_in = prod((workload.unit.in_channels, workload.size, workload.size))
    return 4 * (graph_in + prod(_output_shape(workload)))


@lru_cache(maxsize=262_144)
def _output_shape(workload: Workload) -> tuple[int, ...]:
    return workload.graph().output_shape


def _features(op: Op, input_shape: tuple[int, ...]) -> OpFeatures:
    # Called for every operation that a search meets: written for speed.
    channels_in, channels_out = input_shape[0], op.shape[0]
    kernel, stride, size_in, size = 1, 1, input_shape[-1], op.shape[-1]
    kind, per_output = _ELEMENTWISE, 0.0
    rounded_in, rounded_out = _rounded(channels_in), _rounded(channels_out)
    if isinstance(op, Conv):
        kernel, stride = op.kernel, op.stride
        # Taps on zero padding cost nothing: on the last, small maps that is most of a large kernel.
        per_output = sum(tap_shares(kernel, size_in, stride)) ** 2
        if op.groups == channels_in > 1:
            kind = _DEPTHWISE
        else:
            if channels_in <= _FEW_CHANNELS:
                kind, rounded_in = _IMAGE, channels_in
            else:
                kind = _POINTWISE if kernel == 1 else _DENSE
            per_output *= rounded_in / op.groups
    elif isinstance(op, Linear):
        kind, channels_in, size_in, size = _LINEAR, op.in_features, 1, 1
        rounded_in = per_output = _rounded(channels_in)
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
    point = (
        log2(channels_in),
        log2(channels_out),
        log2(size),
        2 * log2(kernel),
        stride - 1.0,
        2 * (rounded_out / channels_out - 1),
        2 * (_rounded(channels_in) / channels_in - 1),
    )
    return OpFeatures(kind, tuple(work), point)


def _rounded(channels: int) -> int:
    return -(-channels // CHANNEL_GRANULE) * CHANNEL_GRANULE
