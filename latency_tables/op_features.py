"""What a latency depends on, operation by operation, read off a workload's graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import log2, prod, sqrt
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from typing_extensions import assert_never

from ..zen.graph import (
    INPUT,
    Activation,
    Add,
    Affine,
    BatchNorm,
    ChannelScale,
    ChannelShift,
    ChannelShuffle,
    Concat,
    Conv,
    Function,
    GlobalAveragePool,
    Graph,
    GroupNorm,
    GroupSoftmax,
    LayerNorm,
    Linear,
    Multiply,
    Operation,
    Pool,
    Priced,
    Slice,
    Unflatten,
)
from ..zen.outline import Outline, Polynomial, evaluate, filling, outline, polynomial
from ..zen.windows import tap_shares
from ..zen.workload import Workload
from .extents import channels_and_size, matrix_product

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

ROWS = 7
"""They work on so many output pixels at a time (XNNPACK's on AVX-512; of tiles from 5 to 14 no other
explains its latencies half as well); what does not fill the last rows costs as much."""

_FEW_CHANNELS = 4
_LARGEST_TUNED = 5
"""XNNPACK has depthwise kernels written for 3x3 and 5x5. What is larger runs many times slower, taps on
padding included; a runtime without such a step is fitted with nought for it."""
_PLACE = {kind: place for place, kind in enumerate(KINDS)}
_IMAGE, _DENSE, _GROUPED, _POINTWISE, _DEPTHWISE, _LINEAR, _ELEMENTWISE, _POOLING, _COPYING, *_ = range(
    len(KINDS)
)


@dataclass(frozen=True, slots=True)
class OpFeatures:
    """One operation that takes time.

    `kind`: its place in KINDS. `work`: the columns of the roofline (see `ROOFLINE`), in units that keep them
    near one. `point`: coordinates in which its efficiency varies smoothly: octaves of input channels (of one
    group), output channels, output size and (twice) kernel, the stride, what rounding wastes of the channels
    (of groups, the root of what it wastes of one group's output), (in twice the octaves) what padding wastes
    of the taps: some runtimes compute those too; what the last tile of output channels wastes, and what the
    last rows of output pixels do.
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
    "100 kB of weights, padding's too",
    "grouped 10M MACs in whole vectors",
    "convolutions",
    "sums and products",
    "depthwise 10M MACs, padding's too",
    "dense 10M MACs, padding's too",
)


_ACTIVATIONS_OF = ROOFLINE[ROOFLINE.index("100 kB of pooled activations") :]
"""The columns of the kinds from pooling on."""


class TimedOp(NamedTuple):
    """What of an operation decides how long it takes. In an outline, channels and groups may be marks.

    `padding`: rows above the map.
    """

    form: Literal["conv", "linear", "elementwise", "pooling", "copying", "swish", "hard-swish"]
    channels_in: int
    channels_out: int
    size_in: int
    size: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    padding: int = 0
    dilation: int = 1


def timed_ops(workload: Workload) -> Iterator[TimedOp]:
    """The operations of a unit that take time of their own."""
    found, widths = outline(workload)
    put = filling(widths).get
    for form, channels_in, channels_out, size_in, size, kernel, stride, groups, *rest in _timed_ops(found):
        yield TimedOp(
            form,
            put(channels_in, channels_in),
            put(channels_out, channels_out),
            size_in,
            size,
            kernel,
            stride,
            put(groups, groups),
            *rest,
        )


@lru_cache(maxsize=8192)
def _timed_ops(found: Outline) -> tuple[TimedOp, ...]:
    return graph_ops(found.graph)


def graph_ops(graph: Graph) -> tuple[TimedOp, ...]:
    """The operations of a graph that take time; a ReLU, the activation of a gate and a batch norm behind a
    convolution are free, as runtimes fuse them or they are of no size."""
    shapes = {INPUT: graph.input_shape} | {op.name: op.shape for op in graph.ops}
    convolutions = {op.name for op in graph.ops if isinstance(op, Conv)}
    timed = (_timed_op(op, shapes[op.inputs[0]], op.inputs[0] in convolutions) for op in graph.ops)
    # A piece may be nothing but what others fuse: then it reads its map and writes it.
    last = graph.ops[-1].shape
    (channels_in, size_in), (channels, size) = map(channels_and_size, (graph.input_shape, last))
    alone = TimedOp("elementwise", channels_in, channels, size_in, size)
    return tuple(op for op in timed if op is not None) or (alone,)


def _timed_op(op: Operation, input_shape: tuple[int, ...], reads_convolution: bool) -> TimedOp | None:
    """None where it is free."""
    (channels_in, size_in), (channels, size) = map(channels_and_size, (input_shape, op.shape))
    moved = (channels_in, channels, size_in, size)
    match op:
        case Conv():
            return TimedOp("conv", *moved, op.kernel, op.stride, op.groups, op.padding[0], op.dilation)
        case Linear():
            return TimedOp("linear", op.in_features, op.shape[0], 1, 1)
        case Concat() | Slice() | ChannelShuffle():
            return TimedOp("copying", *moved)
        case Activation():
            return TimedOp(_TIMED_FUNCTIONS[op.function], *moved) if op.function in _TIMED_FUNCTIONS else None
        case Pool():
            return TimedOp("pooling", *moved, op.kernel)
        case GlobalAveragePool():
            return TimedOp("pooling", *moved)
        case Affine() | ChannelScale() | ChannelShift() | LayerNorm() | GroupNorm():
            return TimedOp("elementwise", *moved)
        case Unflatten():
            return None
        case Priced():
            return _priced(op, moved)
        case BatchNorm():
            return None if reads_convolution else TimedOp("elementwise", *moved)
        case Add() | Multiply() | GroupSoftmax():
            return TimedOp("elementwise", *moved)
        case _:
            assert_never(op)


def _priced(op: Priced, moved: tuple[int, int, int, int]) -> TimedOp | None:
    """The nearest kin of an operation that is not read: a matrix product of as many MACs, else what moves as
    many bytes."""
    if op.is_view:
        return None
    if not op.macs:
        return TimedOp("elementwise", *moved)
    read, written, size = matrix_product(op)
    return TimedOp("linear" if size == 1 else "conv", read, written, size, size)


_TIMED_FUNCTIONS: dict[Function, Literal["swish", "hard-swish"]] = {
    "elu": "swish",
    "swish": "swish",
    "mish": "swish",
    "gelu": "swish",
    "gelu-tanh": "swish",
    "tanh": "swish",
    "leaky-relu": "hard-swish",
    "hard-swish": "hard-swish",
}
"""Those with an exponential, and those of straight lines; no table was fitted to others than the two."""


def workload_features(workload: Workload) -> tuple[OpFeatures, ...]:
    """The features of each operation of a unit that takes time of its own."""
    return tuple(map(op_features, timed_ops(workload)))


@lru_cache(maxsize=16_384)
def op_features(op: TimedOp) -> OpFeatures:
    kind = _kind(op)
    # Taps on zero padding cost nothing: on the last, small maps that is most of a large kernel.
    taps = padded = 1.0
    if op.form == "conv":
        shares = tap_shares(op.kernel, op.size_in, op.stride, op.padding, op.size, op.dilation)
        taps = sum(shares) ** 2
        padded = op.kernel**2 / taps
    waste = _group_waste(op) if kind == _GROUPED else _vector_waste(op)
    point = (
        log2(op.channels_in / op.groups if kind == _GROUPED else op.channels_in),
        log2(op.channels_out),
        log2(op.size),
        2 * log2(op.kernel),
        op.stride - 1.0,
        2 * waste[0],
        2 * waste[1],
        2 * log2(padded),
        2 * waste[2],
        2 * _row_waste(op, kind),
    )
    return OpFeatures(kind, _work(op, kind, taps), point)


def kind_name(op: TimedOp) -> str:
    """Its name in KINDS."""
    return KINDS[_kind(op)]


def _kind(op: TimedOp) -> int:
    if op.form != "conv":
        return _PLACE.get(op.form, _ELEMENTWISE)
    if op.groups == op.channels_in > 1:
        return _DEPTHWISE
    if op.channels_in <= _FEW_CHANNELS:
        return _IMAGE
    if op.groups > 1:
        return _GROUPED
    return _POINTWISE if op.kernel == 1 else _DENSE


def _work(op: TimedOp, kind: int, taps: float) -> tuple[float, ...]:
    """The columns of the roofline; `taps`: of the kernel, those that meet the image."""
    channels_in, channels_out, outputs = op.channels_in, op.channels_out, op.size**2
    if kind != _GROUPED:  # of groups, the width says all that rounding would
        channels_out = _rounded(channels_out)
        channels_in = channels_in if kind == _IMAGE else _rounded(channels_in)
    inputs_each = {_DEPTHWISE: 1.0, _LINEAR: float(channels_in)}.get(kind, channels_in / op.groups)
    weights = channels_out * inputs_each * taps if kind < KINDS_WITH_MACS else 0.0
    macs = weights * outputs / 1e7
    activations = 4e-5 * (channels_in * op.size_in**2 + channels_out * outputs)
    work = dict.fromkeys(ROOFLINE, 0.0)
    work["100 kB of activations"] = activations
    work["100 kB of weights"] = 4e-5 * weights
    work["operations"] = 1.0
    if kind < KINDS_WITH_MACS:
        work[ROOFLINE[kind]] = macs
    if op.form == "conv":
        work["convolutions"] = 1.0
        work["100 kB of weights, padding's too"] = 4e-5 * weights / taps * op.kernel**2
    if kind == _DENSE:
        work["dense 10M MACs, padding's too"] = macs / taps * op.kernel**2
        work["strided dense 10M MACs"] = macs if op.stride > 1 else 0.0
    elif kind == _GROUPED:
        vectors = op.groups * _rounded(op.channels_in // op.groups) * _rounded(op.channels_out // op.groups)
        work["grouped 10M MACs in whole vectors"] = vectors * op.kernel**2 * outputs / 1e7
    elif kind == _DEPTHWISE:
        work["100 kB of depthwise activations"] = activations
        work["depthwise 10M MACs, padding's too"] = macs / taps * op.kernel**2
        if op.kernel > _LARGEST_TUNED:
            work["large depthwise 10M taps"] = channels_out * op.kernel**2 * outputs / 1e7
    elif kind == _LINEAR:
        work["100 kB of linear weights"] = 4e-5 * weights
    elif kind == _ELEMENTWISE:
        work["sums and products"] = 1.0
    elif kind >= _POOLING:
        work[_ACTIVATIONS_OF[kind - _POOLING]] = activations
    return tuple(work.values())


def _vector_waste(op: TimedOp) -> tuple[float, float, float]:
    """What whole vectors waste of output and input channels, and the last tile of output channels."""
    pairs = (
        (_rounded(op.channels_out), op.channels_out),
        (_rounded(op.channels_in), op.channels_in),
        (_rounded(op.channels_out, TILE), op.channels_out),
    )
    first, second, last = (rounded / channels - 1 for rounded, channels in pairs)
    return first, second, last


def _row_waste(op: TimedOp, kind: int) -> float:
    """What the last rows of a matrix kernel waste of the output pixels."""
    if op.form != "conv" or kind == _DEPTHWISE:
        return 0.0
    pixels = op.size**2
    return -(-pixels // ROWS) * ROWS / pixels - 1


def _group_waste(op: TimedOp) -> tuple[float, float, float]:
    """What whole vectors waste of one group's output channels; its root, since narrow groups waste most."""
    width = op.channels_out // op.groups
    return sqrt(_rounded(width) / width - 1), 0.0, 0.0


def boundary_bytes(workload: Workload) -> int:
    """Bytes of activations that a unit timed alone reads and writes, fp32, one image."""
    found, widths = outline(workload)
    return 4 * evaluate(_boundary(found), (1, *widths))


@lru_cache(maxsize=8192)
def _boundary(found: Outline) -> Polynomial:
    return polynomial(prod(found.graph.input_shape) + prod(found.graph.output_shape))


def _rounded(channels: int, granule: int = CHANNEL_GRANULE) -> int:
    return -(-channels // granule) * granule
