"""ONNX files written from the graph, operation by operation, never by tracing.

Opset 17 and IR version 8 are what ONNX Runtime, TensorRT 8.6 and later, and most converters read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from ...atomic import write_bytes
from ...devices.base import Artifact, TensorSpec
from ...zen.graph import (
    INPUT,
    Activation,
    Add,
    BatchNorm,
    Conv,
    GlobalAveragePool,
    Graph,
    Linear,
    Multiply,
    Op,
)
from ...zen.network import Network
from .weights import Array, Kernel, fold

OPSET = 17
IR_VERSION = 8
_FUNCTIONS = {"relu": "Relu", "sigmoid": "Sigmoid"}


NETWORK_KEY = "zenbench.network"
"""Metadata entry with the network's JSON, by which a file that zenbench wrote can be read back."""


def write_onnx(
    graph: Graph,
    state: Mapping[str, Array],
    path: Path,
    batch: int = 1,
    network: Network | None = None,
) -> Artifact:
    """An fp32 ONNX file of the graph at a fixed batch; `state` holds torch's names."""
    kernels = fold(graph, state)
    nodes = [node for op in graph.ops for node in _nodes(op, kernels)]
    weights = [
        numpy_helper.from_array(array, f"{name}.{part}")
        for name, kernel in kernels.items()
        for part, array in (("weight", kernel.weight), ("bias", kernel.bias))
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


def _nodes(op: Op, kernels: Mapping[str, Kernel]) -> Iterator[NodeProto]:
    match op:
        case Conv():
            yield helper.make_node(
                "Conv",
                [*op.inputs, f"{op.name}.weight", f"{op.name}.bias"],
                [kernels[op.name].output],
                kernel_shape=[op.kernel] * 2,
                strides=[op.stride] * 2,
                pads=[op.padding] * 4,
                group=op.groups,
            )
        case BatchNorm():
            return  # folded into the convolution before it
        case Activation():
            yield helper.make_node(_FUNCTIONS[op.function], list(op.inputs), [op.name])
        case Add():
            yield helper.make_node("Add", list(op.inputs), [op.name])
        case Multiply():
            yield helper.make_node("Mul", list(op.inputs), [op.name])
        case GlobalAveragePool():
            yield helper.make_node("GlobalAveragePool", list(op.inputs), [op.name])
        case Linear():
            flat = f"{op.name}.flat"
            yield helper.make_node("Flatten", list(op.inputs), [flat])
            inputs = [flat, f"{op.name}.weight", f"{op.name}.bias"]
            yield helper.make_node("Gemm", inputs, [op.name], transB=1)
