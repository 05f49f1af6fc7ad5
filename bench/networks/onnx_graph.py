"""Someone else's ONNX file -> Graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import onnx
from onnx import helper

from ...errors import NetworkError, UserError, first_line
from ...zen.graph import Graph
from ...zen.importing.read_graph import ReadGraph
from .onnx_inputs import HalfRead
from .onnx_nodes import OnnxNodes
from .onnx_order import in_order, is_in_order
from .onnx_quantised import QuantisedNodes

T = TypeVar("T")
R = TypeVar("R")


def graph_of_onnx(source: Path | onnx.ModelProto, shape: tuple[int, ...] | None = None) -> Graph:
    """The graph alone of what `read_onnx` reads."""
    return read_onnx(source, shape).graph


def read_onnx(source: Path | onnx.ModelProto, shape: tuple[int, ...] | None = None) -> ReadGraph:
    """The graph that a file or model computes, for one image.

    `shape`: channels, height and width where the file leaves some of them free. Batch norm that was folded
    into a convolution stays folded. Raises NetworkError where an operation has no counterpart or a shape is
    not fixed.
    """
    model, folder = (source, None) if isinstance(source, onnx.ModelProto) else (_load(source), source.parent)
    nodes = list(model.graph.node)
    try:
        if is_in_order(nodes):
            onnx.checker.check_model(model if folder is None else str(source))
        else:
            model = _sorted(model)
            onnx.checker.check_model(_without_other_files(model))
    except onnx.checker.ValidationError as error:
        raise NetworkError(f"the ONNX file is not valid ({first_line(error)}); export it again") from None
    return _Reader(model.graph, shape, folder).read()


def _sorted(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its nodes in the order that the format prescribes and runtimes do not ask for."""
    found = onnx.ModelProto()
    found.CopyFrom(model)
    del found.graph.node[:]
    found.graph.node.extend(in_order(list(model.graph.node)))
    return found


def _without_other_files(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with weights that lie in other files as its inputs.

    Beside a model in memory the checker would look for them in the working directory. Where they may lie is
    checked when they are read.
    """
    found = onnx.ModelProto()
    found.CopyFrom(model)
    del found.graph.initializer[:]
    known = {value.name for value in model.graph.input}
    for tensor in model.graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            found.graph.initializer.append(tensor)
        elif tensor.name not in known:
            found.graph.input.append(
                helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            )
    return found


def _load(path: Path) -> onnx.ModelProto:
    try:
        # Weights beside the file are not needed: only their shapes are read.
        return onnx.load(str(path), load_external_data=False)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except Exception as error:  # noqa: BLE001 - protobuf raises classes of its own
        raise NetworkError(f"{path} is not an ONNX file ({type(error).__name__})") from None


class _Reader(QuantisedNodes):
    """Reads a file node by node, in the topological order that the format prescribes."""

    def read(self) -> ReadGraph:
        for stored in self.source.node:
            self.attributes = {a.name: helper.get_attribute_value(a) for a in stored.attribute}
            node = self.node = self._checked(self.in_floats, stored)
            if node.op_type == "Constant":
                self.constants[node.output[0]] = self._node_constant()
                continue
            if node.op_type == "Shape":
                raise NetworkError(f"{self.where} makes shapes depend on the input; export with fixed shapes")
            read = _READERS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
            if read is None:
                raise NetworkError(f"{self.where} cannot be read; express it by what docs/reading.md lists")
            found = self._checked(read, self)
            if isinstance(found, HalfRead):
                self.halves[node.output[0]] = found
            elif found is not None:
                self.tensors[node.output[0]] = self.clipped(found)
        return self.assembler.read(self._tensor(self.source.output[0].name))

    def _checked(self, read: Callable[[T], R], of: T) -> R:
        try:
            return read(of)
        except (ValueError, IndexError, TypeError) as error:
            # What the format's checker lets pass: weights without extents, attributes of another type.
            raise NetworkError(f"{self.where} is not valid ({first_line(error)}); export it again") from None


_READERS: dict[str, Callable[[QuantisedNodes], str | HalfRead | None]] = {
    "Conv": OnnxNodes.conv,
    "BatchNormalization": OnnxNodes.batch_norm,
    "LayerNormalization": OnnxNodes.layer_norm,
    "GroupNormalization": OnnxNodes.group_norm,
    "InstanceNormalization": OnnxNodes.instance_norm,
    "Relu": lambda nodes: nodes.activation("relu"),
    "Sigmoid": lambda nodes: nodes.activation("sigmoid"),
    "HardSwish": lambda nodes: nodes.activation("hard-swish"),
    "Mish": lambda nodes: nodes.activation("mish"),
    "LeakyRelu": OnnxNodes.leaky_relu,
    "Elu": OnnxNodes.elu,
    "Gelu": OnnxNodes.gelu,
    "Erf": OnnxNodes.erf,
    "Softplus": OnnxNodes.softplus,
    "Tanh": OnnxNodes.tanh,
    "HardSigmoid": OnnxNodes.hard_sigmoid,
    "Clip": OnnxNodes.clip,
    "Softmax": OnnxNodes.softmax,
    "Add": OnnxNodes.add,
    "Sum": OnnxNodes.add,
    "Sub": OnnxNodes.subtract,
    "Mul": OnnxNodes.multiply,
    "Div": OnnxNodes.divide,
    "Neg": lambda nodes: nodes.assembler.affine(nodes._first, nodes.where, -1),
    "Concat": OnnxNodes.concat,
    "Split": OnnxNodes.split,
    "Slice": OnnxNodes.slice,
    "MaxPool": lambda nodes: nodes.pool("max"),
    "AveragePool": lambda nodes: nodes.pool("average"),
    "GlobalMaxPool": OnnxNodes.global_max_pool,
    "Pad": OnnxNodes.pad,
    "GlobalAveragePool": OnnxNodes.global_average_pool,
    "ReduceMean": OnnxNodes.mean,
    "Flatten": OnnxNodes.flatten,
    "Reshape": OnnxNodes.reshape,
    "Squeeze": OnnxNodes.squeeze,
    "Unsqueeze": OnnxNodes.unsqueeze,
    "Transpose": OnnxNodes.transpose,
    "Gemm": OnnxNodes.gemm,
    "MatMul": OnnxNodes.matrix_product,
    "Identity": OnnxNodes.passed,
    "Dropout": OnnxNodes.passed,
    "QuantizeLinear": QuantisedNodes.quantised,
    "DequantizeLinear": QuantisedNodes.dequantised,
}
