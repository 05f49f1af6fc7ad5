"""What of a unit a runtime has to run: its operations as the few numbers that a modelled latency reads.

Unlike `features.py`, which lets measurements tell what an activation or a gate costs, a model that knows
whole networks only has to be told which operations runtimes treat apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

from typing_extensions import assert_never

from ...zen.graph import (
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
    Shape,
    Slice,
    Unflatten,
)
from ...zen.outline import Outline, filling, outline
from ...zen.workload import Workload
from ..extents import channels_and_size, matrix_product

Form = Literal[
    "conv", "linear", "norm", "relu", "smooth", "hard", "sum", "product", "gate pool", "pool", "copy"
]
"""`smooth` activations need an exponential, `hard` ones are their piecewise linear kin; `product` is a map
times the gate of its channels, whose pooling is the `gate pool`; `copy` moves values unchanged."""


class RuntimeKernel(NamedTuple):
    """One operation. In an outline, channels and groups may be marks.

    `inputs`: maps read by a sum. `fused`: a batch norm behind a convolution, which folds into its weights.
    A linear layer, and a 1x1 convolution of a single place, have size 1.
    """

    form: Form
    channels_in: int
    channels_out: int
    size_in: int
    size: int
    kernel: int = 1
    groups: int = 1
    inputs: int = 1
    fused: bool = False


def kernels(workload: Workload) -> Iterator[RuntimeKernel]:
    """The operations of a unit."""
    found, widths = outline(workload)
    if not widths:
        yield from _outline_kernels(found)
        return
    put = filling(widths).get
    for form, channels_in, channels_out, size_in, size, kernel, groups, inputs, fused in _outline_kernels(
        found
    ):
        yield RuntimeKernel(
            form,
            put(channels_in, channels_in),
            put(channels_out, channels_out),
            size_in,
            size,
            kernel,
            put(groups, groups),
            inputs,
            fused,
        )


@lru_cache(maxsize=8192)
def _outline_kernels(found: Outline) -> tuple[RuntimeKernel, ...]:
    return graph_kernels(found.graph)


def graph_kernels(graph: Graph) -> tuple[RuntimeKernel, ...]:
    """The operations of a graph."""
    shapes = {INPUT: graph.input_shape} | {op.name: op.shape for op in graph.ops}
    convolutions = {op.name for op in graph.ops if isinstance(op, Conv)}
    gated = any(isinstance(op, Multiply | GroupSoftmax) for op in graph.ops)
    found = (_kernel(op, shapes[op.inputs[0]], convolutions, gated) for op in graph.ops)
    return tuple(kernel for kernel in found if kernel is not None)


def _kernel(op: Operation, read: Shape, convolutions: set[str], gated: bool) -> RuntimeKernel | None:
    """None where nothing runs."""
    (channels, size_in), (channels_out, size) = map(channels_and_size, (read, op.shape))
    moved = channels, channels_out, size_in, size
    match op:
        case Conv():
            return RuntimeKernel("linear" if size_in == 1 else "conv", *moved, op.kernel, op.groups)
        case Linear():
            return RuntimeKernel("linear", op.in_features, channels_out, 1, 1)
        case BatchNorm():
            return RuntimeKernel("norm", *moved, fused=op.inputs[0] in convolutions)
        case Add():
            return RuntimeKernel("sum", *moved, inputs=len(op.inputs))
        case Pool():
            return RuntimeKernel("pool", *moved, op.kernel)
        case GlobalAveragePool():
            return RuntimeKernel("gate pool" if gated else "pool", channels, channels_out, size_in, 1)
        case Activation():
            return RuntimeKernel(_ACTIVATIONS[op.function], *moved)
        case LayerNorm() | GroupNorm():
            return RuntimeKernel("norm", *moved)
        case Multiply() | ChannelScale() | ChannelShift() | Affine():
            return RuntimeKernel("product", *moved)
        case Concat() | Slice() | ChannelShuffle() | GroupSoftmax() | Unflatten():
            return RuntimeKernel("copy", *moved)
        case Priced():
            return _priced(op, moved)
        case _:
            assert_never(op)


def _priced(op: Priced, moved: tuple[int, int, int, int]) -> RuntimeKernel | None:
    """The nearest kin of an operation that is not read."""
    if op.is_view:
        return None
    if not op.macs:
        return RuntimeKernel("copy", *moved)
    read, written, size = matrix_product(op)
    return RuntimeKernel("linear" if size == 1 else "conv", read, written, size, size)


_ACTIVATIONS: dict[Function, Form] = {
    "relu": "relu",
    "relu6": "relu",
    "leaky-relu": "relu",
    "elu": "smooth",
    "swish": "smooth",
    "mish": "smooth",
    "gelu": "smooth",
    "gelu-tanh": "smooth",
    "tanh": "smooth",
    "sigmoid": "smooth",
    "hard-swish": "hard",
    "hard-sigmoid": "hard",
}
