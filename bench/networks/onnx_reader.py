"""Reading an ONNX file node by node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import onnx
from numpy.typing import NDArray
from onnx import helper

from ...errors import NetworkError, first_line
from ...zen.importing.read_graph import ReadGraph
from .onnx_constants import OnnxConstant
from .onnx_inputs import HalfRead
from .onnx_nodes import OnnxNodes
from .onnx_quantised import QuantisedNodes

T = TypeVar("T")
R = TypeVar("R")


class OnnxReader(QuantisedNodes):
    """Reads a file node by node, in the topological order that the format prescribes."""

    def __init__(
        self,
        graph: onnx.GraphProto,
        shape: tuple[int, ...] | None,
        folder: Path | None,
        computed: Callable[[], Mapping[str, NDArray[Any]]],
        prices: bool = False,
    ) -> None:
        """`computed`: what the file computes from shapes, asked for where it does."""
        super().__init__(graph, shape, folder, prices)
        self._computed = cache(computed)

    def read(self) -> ReadGraph:
        for stored in self.source.node:
            self.node = stored
            self.attributes = self._checked(_attributes, stored)
            node = self.node = self._checked(self.in_floats, stored)
            if node.op_type == "Constant":
                self.constants[node.output[0]] = self._checked(OnnxReader._node_constant, self)
            else:
                self.take()
        return self.whole()

    def take(self) -> None:
        """Reads the node."""
        node = self.node
        if self._is_of_shapes() and self.takes_value():
            return
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

    def takes_value(self) -> bool:
        """Whether the node gives a value that follows from shapes, which is a constant from now on."""
        name = self.node.output[0]
        value = self._computed().get(name)
        if value is not None:
            self.constants[name] = OnnxConstant.of_values(value, name)
        return value is not None

    def _is_of_shapes(self) -> bool:
        """Whether it reads a shape, or nothing but constants, which exporters compute shapes with."""
        node, given = self.node, [name for name in self.node.input if name]
        is_constant = bool(given) and all(name in self.constants for name in given)
        return node.op_type == "Shape" or (is_constant and node.op_type not in _PASSED)

    def whole(self) -> ReadGraph:
        """The graph up to the file's output."""
        return self.assembler.read(self._tensor(self.source.output[0].name))

    def _checked(self, read: Callable[[T], R], of: T) -> R:
        try:
            return read(of)
        except (ValueError, LookupError, TypeError, ArithmeticError, AttributeError) as error:
            # What the format's checker lets pass: weights without extents, attributes of another type.
            raise NetworkError(f"{self.where} is not valid ({first_line(error)}); export it again") from None


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {one.name: helper.get_attribute_value(one) for one in node.attribute}


_PASSED = ("Identity", "Dropout")

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
    "Gather": OnnxNodes.gather,
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
