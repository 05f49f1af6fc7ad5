"""What a latency depends on, operation by operation, read off a workload's graph."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log2, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..zen.blocks import Workload
from ..zen.graph import (
    INPUT,
    Add,
    Conv,
    GlobalAveragePool,
    Graph,
    Linear,
    Multiply,
    Op,
    tap_shares,
)

Vector = NDArray[np.floating[Any]]

KINDS = ("image", "dense", "pointwise", "depthwise", "linear", "elementwise")
"""`image` is a convolution of very few channels, for which runtimes have kernels of their own."""

CHANNEL_GRANULE = 16
"""Kernels work on whole vectors of channels: 16 fp32 values fill an AVX-512 register. Rounding is a
feature beside the plain width, so a device with another granule is fitted, only with more noise."""


_FEW_CHANNELS = 4


@dataclass(frozen=True, slots=True)
class OpFeatures:
    """One operation that takes time.

    `kind`: its place in KINDS. `work`: the columns of the roofline (see `ROOFLINE`), in units that keep
    them near one. `point`: coordinates in which its efficiency varies smoothly, in octaves.
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
POINT = (
    "input channels",
    "output channels",
    "output size",
    "kernel",
    "stride",
    "output waste",
    "input waste",
)


@lru_cache(maxsize=262_144)
def workload_features(workload: Workload) -> tuple[OpFeatures, ...]:
    """The features of each operation of a unit that takes time of its own."""
    return graph_features(workload.graph())


def graph_features(graph: Graph) -> tuple[OpFeatures, ...]:
    """The features of a graph; batch norm and activations are free, as runtimes fuse them."""
    timed = (Conv, Linear, Add, Multiply, GlobalAveragePool)
    shapes = {INPUT: graph.input_shape} | {op.name: op.shape for op in graph.ops}
    return tuple(_features(op, shapes[op.inputs[0]]) for op in graph.ops if isinstance(op, timed))


def boundary_bytes(workload: Workload) -> int:
    """Bytes of activations that a unit timed alone reads and writes, fp32, one image."""
    graph_in = prod((workload.unit.input_channels, workload.size, workload.size))
    return 4 * (graph_in + prod(_output_shape(workload)))


@lru_cache(maxsize=262_144)
def _output_shape(workload: Workload) -> tuple[int, ...]:
    return workload.graph().output_shape


def _features(op: Op, input_shape: tuple[int, ...]) -> OpFeatures:
    kernel, stride, groups = (op.kernel, op.stride, op.groups) if isinstance(op, Conv) else (1, 1, 1)
    if isinstance(op, Linear):
        kind, channels_in, size = "linear", op.in_features, 1
    else:
        channels_in, size = input_shape[0], op.shape[1]
        if not isinstance(op, Conv):
            kind = "elementwise"
        elif channels_in <= _FEW_CHANNELS:
            kind = "image"
        elif groups > 1:
            kind = "depthwise"
        else:
            kind = "pointwise" if kernel == 1 else "dense"
    channels_out = op.shape[0]
    rounded_in = channels_in if channels_in <= _FEW_CHANNELS else _rounded(channels_in)
    rounded_out = _rounded(channels_out)
    # Taps on zero padding cost nothing: on the last, small maps that is most of a large kernel.
    taps = sum(tap_shares(kernel, input_shape[1], stride)) ** 2 if isinstance(op, Conv) else 1.0
    weights = 0.0 if kind == "elementwise" else rounded_out * taps * (rounded_in if groups == 1 else 1)
    macs = weights * size**2 / 1e7
    activations = 4 * (rounded_in * prod(input_shape[1:]) + prod((rounded_out, *op.shape[1:]))) / 1e5
    index = KINDS.index(kind)
    work = (
        *(macs if index == column else 0.0 for column in range(5)),
        macs if kind == "dense" and stride > 1 else 0.0,
        activations,
        activations if kind == "depthwise" else 0.0,
        4 * weights / 1e5,
        4 * weights / 1e5 if kind == "linear" else 0.0,
        1.0,
    )
    point = (
        log2(channels_in),
        log2(channels_out),
        log2(size),
        2 * log2(kernel),
        float(stride - 1),
        2 * (rounded_out / channels_out - 1),
        2 * (_rounded(channels_in) / channels_in - 1),
    )
    return OpFeatures(index, work, point)


def _rounded(channels: int) -> int:
    return -(-channels // CHANNEL_GRANULE) * CHANNEL_GRANULE
