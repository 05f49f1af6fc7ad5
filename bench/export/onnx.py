"""ONNX files written from the graph, operation by operation, never by tracing.

Opset 17 and IR version 8 are what ONNX Runtime, TensorRT 8.6 and later, and most converters read. The
precision is in the file: fp16 tensors, or int8 ones between QuantizeLinear and DequantizeLinear.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import NodeProto, helper, numpy_helper
from typing_extensions import assert_never

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
    Operation,
    Pool,
    Slice,
)
from ...zen.network import Network
from . import NETWORK_KEY, PRECISION_KEY, SCALES_KEY
from .onnx_quantise import Quantiser
from .weights import Array, FoldedConv, Scale, fold

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
    precision: str = "fp32",
    calibration: Sequence[Array] = (),
) -> Artifact:
    """An ONNX file of the graph at a fixed batch; `state` holds torch's names.

    `precision` is fp32, fp16 (every tensor) or int8 (as `Quantiser` says), input and output too. int8 is
    calibrated on batches of shape (N, C, H, W) or, without any, on Gaussian ones; its scales at both ends
    are in the artifact and in the file's metadata.
    """
    folded = fold(graph, state)
    dtype = np.dtype(np.float16 if precision == "fp16" else np.float32)
    arrays = {
        f"{name}.{part}": array.astype(dtype, copy=False)
        for name, kernel in folded.items()
        for part, array in kernel.parts()
    }
    ends, scales = (INPUT, graph.output), {}
    if precision == "int8":
        quantiser = Quantiser(graph, state, arrays, calibration)
        nodes = [node for op in graph.ops for node in _quantised_nodes(op, folded, quantiser)]
        nodes += quantiser.end()
        arrays = quantiser.arrays
        ends, scales = quantiser.ends, {name: quantiser.scales[name] for name in quantiser.ends}
        dtype = np.dtype(np.int8)
    else:
        nodes = [node for op in graph.ops for node in _nodes(op, folded, dtype)]
    kind = helper.np_dtype_to_tensor_dtype(dtype)
    shapes = (batch, *graph.input_shape), (batch, *graph.output_shape)
    given, result = (
        helper.make_tensor_value_info(name, kind, shape) for name, shape in zip(ends, shapes, strict=True)
    )
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "zenbench",
            [given],
            [result],
            [numpy_helper.from_array(array, name) for name, array in arrays.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="zenbench",
    )
    properties = {PRECISION_KEY: precision}
    if network is not None:
        properties[NETWORK_KEY] = json.dumps(network.to_json())
    if scales:
        properties[SCALES_KEY] = json.dumps(scales)
    helper.set_model_props(model, properties)
    data = model.SerializeToString()
    write_bytes(path, data)
    spec = TensorSpec(INPUT, shapes[0], dtype.name)
    return Artifact("onnx", path, hashlib.sha256(data).hexdigest(), (spec,), batch, precision, scales)


def _quantised_nodes(
    op: Operation, folded: Mapping[str, FoldedConv | Scale], quantiser: Quantiser
) -> Iterator[NodeProto]:
    pairs, fed = quantiser.feed(op)
    yield from pairs
    yield from _nodes(fed, folded, np.dtype(np.float32))


def _nodes(
    op: Operation, folded: Mapping[str, FoldedConv | Scale], dtype: np.dtype[Any]
) -> Iterator[NodeProto]:
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
                pads=op.padding,
                dilations=[op.dilation] * 2,
                group=op.groups,
            )
        case BatchNorm():
            if op.name in folded:  # else it went into the convolution before it
                scaled = f"{op.name}.scaled"
                yield helper.make_node("Mul", [*inputs, f"{op.name}.scale"], [scaled])
                yield helper.make_node("Add", [scaled, f"{op.name}.shift"], [op.name])
        case Activation():
            yield from _activation(op, dtype)
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
                "pads": op.padding,
            }
            if op.mode == "average":
                window["count_include_pad"] = int(op.counts_padding)
            kind = "MaxPool" if op.mode == "max" else "AveragePool"
            yield helper.make_node(kind, inputs, [op.name], **window)
        case GlobalAveragePool():
            yield helper.make_node("GlobalAveragePool", inputs, [op.name])
        case Linear():
            flat = f"{op.name}.flat"
            yield helper.make_node("Flatten", inputs, [flat])
            yield helper.make_node(
                "Gemm", [flat, f"{op.name}.weight", f"{op.name}.bias"], [op.name], transB=1
            )
        case _:
            assert_never(op)


def _activation(op: Activation, dtype: np.dtype[Any]) -> Iterator[NodeProto]:
    (x,) = op.inputs
    if op.function == "swish":  # x sigmoid(x): a Swish of its own came with opset 24
        gate = f"{op.name}.gate"
        yield helper.make_node("Sigmoid", [x], [gate])
        yield helper.make_node("Mul", [x, gate], [op.name])
    elif op.function == "relu6":
        limits = [
            _number(f"{op.name}.{part}", value, dtype) for part, value in (("least", 0.0), ("most", 6.0))
        ]
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


def _number(name: str, value: float, dtype: np.dtype[Any]) -> NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array(value, dtype)))
