"""What a network costs: MACs, parameters, layers and activation bytes, in closed form from the graph."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod

from typing_extensions import assert_never

from .graph import (
    Activation,
    Add,
    Affine,
    BatchNorm,
    ChannelScale,
    ChannelShift,
    ChannelShuffle,
    Concat,
    Conv,
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
from .graph_network import AnyNetwork, GraphNetwork
from .outline import Outline, Polynomial, evaluate, outline, polynomial
from .workload import Workload

BYTES_PER_VALUE = 4


@dataclass(frozen=True, slots=True)
class Cost:
    """Counts for one image: MACs of convolutions and linear layers (half of torch's FLOPs), trainable
    parameters, layers as the network counts them, and the fp32 bytes of the largest set of
    activations alive at one time (batch norm, activation, sum, gate and constants work in place)."""

    macs: int
    params: int
    layers: int
    peak_activation_bytes: int


@dataclass(frozen=True, slots=True)
class GraphCost:
    """The additive parts of a cost, and the peak that combines by maximum."""

    macs: int
    params: int
    peak_activation_bytes: int


def cost(network: AnyNetwork) -> Cost:
    """The cost of a network. Units meet in one tensor, so sums and the maximum over units are exact."""
    if isinstance(network, GraphNetwork):
        whole = graph_cost(network.graph())
        return Cost(whole.macs, whole.params, network.layers, whole.peak_activation_bytes)
    parts = [workload_cost(workload) for workload in network.workloads()]
    return Cost(
        macs=sum(part.macs for part in parts),
        params=sum(part.params for part in parts),
        layers=network.layers,
        peak_activation_bytes=max(part.peak_activation_bytes for part in parts),
    )


@lru_cache(maxsize=16_384)
def workload_cost(workload: Workload) -> GraphCost:
    """The cost of one unit at one input size."""
    return graph_cost(workload.graph())


def workload_counts(workload: Workload) -> tuple[int, int]:
    """MACs and parameters of one unit, as `workload_cost` has them, without building its graph."""
    found, widths = outline(workload)
    macs, params = _counts(found)
    values = (1, *widths)
    return evaluate(macs, values), evaluate(params, values)


@lru_cache(maxsize=8192)
def _counts(found: Outline) -> tuple[Polynomial, Polynomial]:
    counted = graph_cost(found.graph)
    return polynomial(counted.macs), polynomial(counted.params)


def graph_cost(graph: Graph) -> GraphCost:
    """The cost of any graph."""
    macs = params = 0
    for op in graph.ops:
        of_op = op_cost(op)
        macs, params = macs + of_op[0], params + of_op[1]
    return GraphCost(macs, params, _peak_activation_bytes(graph))


def op_cost(op: Operation) -> tuple[int, int]:
    """MACs and parameters of one operation."""
    match op:
        case Conv():
            weights = op.out_channels * (op.in_channels // op.groups) * op.kernel**2
            return weights * op.shape[1] * op.shape[2], weights + (op.out_channels if op.bias else 0)
        case BatchNorm() | LayerNorm() | GroupNorm():
            return 0, 2 * op.shape[0]
        case ChannelScale() | ChannelShift():
            return 0, 1 if op.is_single else op.shape[0]
        case Linear():
            return op.in_features * op.out_features, (op.in_features + op.bias) * op.out_features
        case Activation() | GroupSoftmax() | Add() | Multiply() | Affine():
            return 0, 0
        case Concat() | Slice() | ChannelShuffle() | Pool() | GlobalAveragePool() | Unflatten():
            return 0, 0
        case Priced():
            return op.macs, op.params
        case _:
            assert_never(op)


_IN_PLACE = (BatchNorm, Activation, Add, Multiply, ChannelScale, ChannelShift, Affine, Unflatten)


def _peak_activation_bytes(graph: Graph) -> int:
    last_use = {name: index for index, op in enumerate(graph.ops) for name in op.inputs}
    sizes = {"input": prod(graph.input_shape)}
    live = peak = sizes["input"]
    for index, op in enumerate(graph.ops):
        sizes[op.name] = prod(op.shape)
        dying = {name for name in op.inputs if last_use[name] == index}
        works_in_place = isinstance(op, _IN_PLACE) or (isinstance(op, Priced) and op.is_view)
        in_place = works_in_place and op.inputs[0] in dying
        if in_place:
            live += sizes[op.name] - sizes[op.inputs[0]]
            dying.discard(op.inputs[0])
        else:
            live += sizes[op.name]
        peak = max(peak, live)
        live -= sum(sizes[name] for name in dying)
    return peak * BYTES_PER_VALUE
