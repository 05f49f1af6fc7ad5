"""Someone else's ONNX file -> Graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
from onnx import helper

from ...errors import NetworkError, UserError, first_line
from ...zen.graph import INPUT, Graph
from .onnx_inputs import HalfRead
from .onnx_nodes import OnnxNodes
from .onnx_prices import VIEWS, OnnxPrices, count_of_weights, is_vector, weights_read


def graph_of_onnx(
    source: Path | onnx.ModelProto, shape: tuple[int, ...] | None = None, prices: bool = False
) -> Graph:
    """The graph that a file or model computes, for one image; its weights are left behind.

    `shape`: channels, height and width where the file leaves some of them free. Batch norm that was folded
    into a convolution stays folded. Raises NetworkError where an operation has no counterpart or a shape is
    not fixed. With `prices`, each operation without a counterpart has its price instead, whatever the
    inputs, and the parameters are the weights that `weights_read` names.
    """
    model = source if isinstance(source, onnx.ModelProto) else _load(source)
    try:
        onnx.checker.check_model(model if model is source else str(source))
    except onnx.checker.ValidationError as error:
        raise NetworkError(f"the ONNX file is not valid ({first_line(error)}); export it again") from None
    if prices:
        return _PricedReader(model.graph, OnnxPrices(model, shape)).graph()
    return _Reader(model.graph, shape).graph()


def _load(path: Path) -> onnx.ModelProto:
    try:
        # Weights beside the file are not needed: only their shapes are read.
        return onnx.load(str(path), load_external_data=False)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except Exception as error:  # noqa: BLE001 - protobuf raises classes of its own
        raise NetworkError(f"{path} is not an ONNX file ({type(error).__name__})") from None


class _Reader(OnnxNodes):
    """Reads a file node by node, in the topological order that the format prescribes."""

    def graph(self) -> Graph:
        for node in self.source.node:
            self.node = node
            self.attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == "Constant":
                self.constants[node.output[0]] = self._constant_tensor()
            else:
                self._take()
        return self._whole()

    def _take(self) -> None:
        """Reads the node."""
        node = self.node
        if node.op_type == "Shape":
            raise NetworkError(f"{self.where} makes shapes depend on the input; export with fixed shapes")
        read = _READERS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if read is None:
            raise NetworkError(f"{self.where} cannot be read; express it by what docs/reading.md lists")
        try:
            found = read(self)
        except (ValueError, IndexError, TypeError) as error:
            # What the format's checker lets pass: weights without extents, attributes of another type.
            raise NetworkError(f"{self.where} is not valid ({first_line(error)}); export it again") from None
        if isinstance(found, HalfRead):
            self.halves[node.output[0]] = found
        elif found is not None:
            self.tensors[node.output[0]] = found

    def _whole(self) -> Graph:
        return self.assembler.graph(self._tensor(self.source.output[0].name))


class _PricedReader(_Reader):
    """Gives a price to what cannot be read."""

    def __init__(self, source: onnx.GraphProto, prices: OnnxPrices) -> None:
        super().__init__(source, prices.of_image(prices.inputs[0], "the input"), prices=True)
        self.prices = prices
        self.batch = prices.batch
        for name in prices.inputs[1:]:
            shape = prices.of_image(name, f"input '{name}'")
            self.tensors[name] = self.assembler.priced("input", [INPUT], shape, is_view=True)
        self.made_of: dict[str, set[str]] = {}
        """Of what is computed from constants alone, those constants."""
        self.paid: set[str] = set()
        self.half_read: dict[str, onnx.NodeProto] = {}
        self.needed = {name for node in source.node for name in node.input} | {x.name for x in source.output}

    def _take(self) -> None:
        node = self.node
        given = [name for name in node.input if name]
        is_image = any(name in self.tensors or name in self.halves for name in given)
        if node.op_type == "Shape" or not is_image:
            for name in node.output:
                self.made_of[name] = {constant for x in given for constant in self._behind(x)}
            if node.op_type in ("Identity", "Dropout") and given[0] in self.constants:
                self.constants[node.output[0]] = self.constants[given[0]]
            return
        weights = self._weights(node)
        try:
            self._check_read(given, weights)
            super()._take()
            self._check_made()
        except NetworkError:
            self._price(node)
        if node.output[0] in self.halves:
            self.half_read[node.output[0]] = node
        self.paid |= {name for name in weights if not is_vector(self.constants[name])}

    def _check_read(self, given: list[str], weights: set[str]) -> None:
        """What is read must be of images, and weights of this node alone."""
        for name in given:
            if name in self.tensors:
                self._check_shape(name)
        if weights & self.paid:
            raise NetworkError(f"{self.where} uses its weights a second time")

    def _check_made(self) -> None:
        for name in self.node.output:
            if name in self.tensors:
                self._check_shape(name)

    def _check_shape(self, name: str) -> None:
        shape = self.prices.shapes.get(name)
        if shape is not None and shape != (self.batch, *self.assembler.shape(self.tensors[name])):
            raise NetworkError(f"{self.where} works on the shape {shape}")

    def _behind(self, name: str) -> set[str]:
        return self.made_of.get(name, {name} & self.constants.keys())

    def _weights(self, node: onnx.NodeProto) -> set[str]:
        found = {constant for name in weights_read(node) for constant in self._behind(name)}
        return {name for name in found if count_of_weights(self.constants[name])}

    def _price(self, node: onnx.NodeProto) -> None:
        where = f"'{node.name or ', '.join(node.output)}', a {node.op_type},"
        for name in node.input:
            if name in self.half_read and name not in self.tensors:
                self._price(self.half_read[name])
        params = sum(count_of_weights(self.constants[name]) for name in self._weights(node) - self.paid)
        inputs = [self.tensors[name] for name in node.input if name in self.tensors]
        macs, is_view = self.prices.macs(node, where), node.op_type in VIEWS
        for name in node.output:
            if name in self.needed:
                shape = self.prices.of_image(name, where)
                made = self.assembler.priced(node.op_type, inputs, shape, macs, params, is_view)
                self.tensors[name], inputs, macs, params = made, [made], 0, 0

    def _whole(self) -> Graph:
        """The graph of all outputs."""
        names = [x.name for x in self.source.output]
        for name in names:
            if name in self.half_read and name not in self.tensors:
                self._price(self.half_read[name])
        found = [self.tensors[name] for name in names if name in self.tensors]
        if not found:
            raise NetworkError("the file gives nothing that comes from its inputs")
        return self.assembler.whole(found)


_READERS: dict[str, Callable[[OnnxNodes], str | HalfRead | None]] = {
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
}
