"""ONNX files written from the graph, operation by operation, never by tracing.

Opset 17 and IR version 8 are what ONNX Runtime, TensorRT 8.6 and later, and most converters read. The
precision is in the file: fp16 tensors, or int8 ones between QuantizeLinear and DequantizeLinear.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from onnx import NodeProto, helper, numpy_helper

from ...atomic import write_bytes
from ...devices.base import Artifact, TensorSpec
from ...zen.graph import INPUT, Graph, Operation
from ...zen.network import Network
from . import NETWORK_KEY, PRECISION_KEY, SCALES_KEY
from .onnx_operators import operators
from .onnx_quantise import Quantiser
from .weights import Array, Weights, fold

OPSET = 17
IR_VERSION = 8


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
        nodes = [node for op in graph.ops for node in operators(op, folded, dtype)]
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
    op: Operation, folded: Mapping[str, Weights], quantiser: Quantiser
) -> Iterator[NodeProto]:
    pairs, fed = quantiser.feed(op)
    yield from pairs
    yield from operators(fed, folded, np.dtype(np.float32))
