"""ONNX files written from the graph, operation by operation, never by tracing.

Opset 17 and IR version 8 are what ONNX Runtime, TensorRT 8.6 and later, and most converters read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from ...atomic import write_bytes
from ...devices.base import Artifact, TensorSpec
from ...zen.graph import (
    INPUT,
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv,
    Function,
    GlobalAveragePool,
    Graph,
    GroupSoftmax,
    Linear,
    Multiply,
    Op,
    Pool,
    Slice,
)
from ...zen.network import Network
from . import NETWORK_KEY
from .weights import Array, Kernel, Scale, fold

OPSET = 17
IR_VERSION = 8
_FUNCTIONS: dict[Function, str] = {
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "hard-swish": "HardSwish",
    "hard-sigmoid": "HardSigmoid",
}


def write_onnx(
    graph: Graph,
    state: Mapping[str, Array],
    path: Path,
    batch: int = 1,
    network: Network | None = None,
) -> Artifact:
    """An fp32 ONNX file of the graph at a fixed batch; `state` holds torch's names."""
    folded = fold(graph, state)
    nodes = [node for op in graph.ops for node in _nodes(op, folded)]
    weights = [
        numpy_helper.from_array(array, f"{name}.{part}")
        for name, kernel in folded.items()
        for part, array in kernel.parts()
    ]
    # A batch norm at the end of the graph gives its name to the convolution it was folded into.
    inputs = [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [batch, *graph.input_shape])]
    outputs = [helper.make_tensor_value_info(graph.output, TensorProto.FLOAT, [batch, *graph.output_shape])]
    model = helper.make_model(
        helper.make_graph(nodes, "zenbench", inputs, outputs, weights),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="zenbench",
    )
    if network is not None:
        helper.set_model_props(model, {NETWORK_KEY: json.dumps(network.to_json())})
    data = model.SerializeToString()
    write_bytes(path, data)
    spec = TensorSpec(INPUT, (batch, *graph.input_shape), np.dtype(np.float32).name)
    return Artifact("onnx", path, hashlib.sha256(data).hexdigest(), (spec,), batch, "fp32")


def _nodes(op: Op, folded: Mapping[str, Kernel | Scale]) -> Iterator[NodeProto]:
    inputs = list(op.inputs)
    match op:
        case Conv():
            kernel = folded[op.name]
            yield helper.make_node(
                "Conv",
                [*inputs, f"{op.name}.weight", f"{op.name}.bias"],
                [kernel.output],
                kernel_shape=[op.kernel] * 2,
                strides=[op.stride] * 2,
                pads=[op.padding] * 4,
                group=op.groups,
            )
        case BatchNorm():
            if op.name in folded:  # else it went into the convolution before it
                scaled = f"{op.name}.scaled"
                yield helper.make_node("Mul", [*inputs, f"{op.name}.scale"], [scaled])
                yield helper.make_node("Add", [scaled, f"{op.name}.shift"], [op.name])
        case Activation():
            yield from _activation(op)
        case Add():
            yield helper.make_node("Add" if len(inputs) == 2 else "Sum", inputs, [op.name])
        case Multiply():
            yield helper.make_node("Mul", inputs, [op.name])
        case Concat():
            yield helper.make_node("Concat", inputs, [op.name], axis=1)
        case Slice():
            bounds = [_integers(f"{op.name}.{part}", [value]) for part, value in _bounds(op)]
            yield from bounds
            yield helper.make_node("Slice", [*inputs, *(node.output[0] for node in bounds)], [op.name])
        case GroupSoftmax():
            yield from _group_softmax(op)
        case Pool():
            window: dict[str, Any] = {
                "kernel_shape": [op.kernel] * 2,
                "strides": [op.stride] * 2,
                "pads": [op.padding] * 4,
            }
            kind = "MaxPool" if op.mode == "max" else "AveragePool"
            yield helper.make_node(kind, inputs, [op.name], ceil_mode=int(op.padding == 0), **window)
        case GlobalAveragePool():
            yield helper.make_node("GlobalAveragePool", inputs, [op.name])
        case Linear():
            flat = f"{op.name}.flat"
            yield helper.make_node("Flatten", inputs, [flat])
            yield helper.make_node(
                "Gemm", [flat, f"{op.name}.weight", f"{op.name}.bias"], [op.name], transB=1
            )


def _activation(op: Activation) -> Iterator[NodeProto]:
    (x,) = op.inputs
    if op.function == "swish":  # x sigmoid(x): a Swish of its own came with opset 24
        gate = f"{op.name}.gate"
        yield helper.make_node("Sigmoid", [x], [gate])
        yield helper.make_node("Mul", [x, gate], [op.name])
    elif op.function == "relu6":
        limits = [_number(f"{op.name}.{part}", value) for part, value in (("least", 0.0), ("most", 6.0))]
        yield from limits
        yield helper.make_node("Clip", [x, *(node.output[0] for node in limits)], [op.name])
    else:
        slope: dict[str, Any] = {"alpha": 1 / 6} if op.function == "hard-sigmoid" else {}
        yield helper.make_node(_FUNCTIONS[op.function], [x], [op.name], **slope)


def _group_softmax(op: GroupSoftmax) -> Iterator[NodeProto]:
    channels, height, width = op.shape
    grouped = _integers(f"{op.name}.grouped", [0, op.groups, channels // op.groups, height, width])
    whole = _integers(f"{op.name}.whole", [0, channels, height, width])
    yield from (grouped, whole)
    yield helper.make_node("Reshape", [op.inputs[0], grouped.output[0]], [f"{op.name}.parts"])
    yield helper.make_node("Softmax", [f"{op.name}.parts"], [f"{op.name}.shares"], axis=1)
    yield helper.make_node("Reshape", [f"{op.name}.shares", whole.output[0]], [op.name])


def _bounds(op: Slice) -> tuple[tuple[str, int], ...]:
    return ("start", op.start), ("end", op.start + op.shape[0]), ("axis", 1)


def _integers(name: str, values: list[int]) -> NodeProto:
    return helper.make_node("Constant", [], [name], value_ints=values)


def _number(name: str, value: float) -> NodeProto:
    return helper.make_node("Constant", [], [name], value_float=value)
