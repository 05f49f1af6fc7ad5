"""What the nodes of an ONNX file cost, by their shapes and constants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod

import onnx

from ...errors import NetworkError
from ...zen.graph import Shape
from .onnx_constants import OnnxConstant
from .onnx_shapes import shapes_and_values

_WEIGHTED = frozenset(
    (
        *(
            "Conv",
            "ConvTranspose",
            "DeformConv",
            "ConvInteger",
            "MatMulInteger",
            "Gemm",
            "MatMul",
            "Einsum",
            "LSTM",
            "GRU",
            "RNN",
            "PRelu",
        ),
        *("BatchNormalization", "LayerNormalization", "InstanceNormalization", "GroupNormalization"),
        *("RMSNormalization", "Add", "Sub", "Mul", "Div", "Concat", "Gather"),
    )
)
_NO_WEIGHTS = {
    "BatchNormalization": (3, 4),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), (5, 6)),
    **dict.fromkeys(("ConvInteger", "MatMulInteger"), (2, 3)),
}
"""Inputs that are no parameters: statistics, the states before the first step, zero points."""

VIEWS = frozenset(("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Cast", "Expand"))
"""Nodes that hand their input on in another shape."""


class OnnxPrices:
    """Shapes, MACs and weights of a file whose inputs have fixed shapes.

    `given`: of the first input, without its first axis, where the file leaves it free; `whole`: of inputs by
    their names. A free first axis is
    the batch, and 1. Raises NetworkError where another axis is free or the file branches.
    """

    def __init__(
        self, model: onnx.ModelProto, given: Shape | None, whole: Mapping[str, Shape] | None = None
    ) -> None:
        for node in model.graph.node:
            if node.op_type in ("If", "Loop", "Scan"):
                article = "an" if node.op_type == "If" else "a"
                raise NetworkError(
                    f"'{node.name or ', '.join(node.output)}', {article} {node.op_type}, branches: what the "
                    "file costs depends on values; give one branch as a file of its own"
                )
        constants = {tensor.name for tensor in model.graph.initializer}
        values = [value for value in model.graph.input if value.name not in constants]
        if not values:
            raise NetworkError("the file has no input; it must have one")
        self.inputs = [value.name for value in values]
        whole = whole or {}
        fixed = {
            one.name: whole.get(one.name) or _input_shape(one, None if place else given)
            for place, one in enumerate(values)
        }
        self.shapes, self.values = shapes_and_values(model, fixed)
        self.batch = (*fixed[self.inputs[0]], 1)[0]

    def shape(self, name: str, where: str) -> Shape:
        """With its batch."""
        if name not in self.shapes:
            raise NetworkError(f"{where} has no fixed shape; export the file with fixed shapes")
        return self.shapes[name]

    def of_image(self, name: str, where: str) -> Shape:
        """Without the batch: the first axis that holds the images is so many times shorter, or goes."""
        shape = self.shape(name, where)
        for axis, extent in enumerate(shape[:1] if self.batch == 1 else shape):
            if extent and extent % self.batch == 0 and (self.batch > 1 or extent == 1):
                rest = [extent // self.batch] if extent > self.batch else []
                return (*shape[:axis], *rest, *shape[axis + 1 :])
        return shape

    def macs(self, node: onnx.NodeProto, where: str) -> int:
        """Of one image: of convolutions, matrix products, attention and recurrent layers."""
        return self._macs(node, where) // self.batch

    def _macs(self, node: onnx.NodeProto, where: str) -> int:
        def shape(position: int) -> Shape:
            return self.shape(node.input[position], where)

        kind, made = node.op_type, self.shape(node.output[0], where)
        if kind in _KERNEL_AT:
            (_, channels, *_), (_, of_group, *window) = shape(0), shape(_KERNEL_AT[kind])
            groups = next((one.i for one in node.attribute if one.name == "group"), 1)
            if channels != of_group * groups:  # onnx infers shapes all the same
                raise NetworkError(
                    f"{where} has weights for {of_group * groups} channels and reads {channels}; "
                    "export it again"
                )
            return prod(made) * of_group * prod(window)
        if kind == "ConvTranspose":
            return prod(shape(0)) * prod(shape(1)[1:])
        if kind == "Gemm":
            is_turned = any(one.name == "transA" and one.i for one in node.attribute)
            return prod(made) * shape(0)[0 if is_turned else -1]
        if kind in ("MatMul", "MatMulInteger", "QLinearMatMul"):
            return prod(made) * shape(0)[-1]
        if kind == "Einsum":
            (equation,) = node.attribute
            return _einsum_macs(equation.s.decode(), [shape(place) for place in range(len(node.input))])
        if kind == "Attention":
            has_past = len(node.input) > 4 and node.input[4]
            steps = shape(1)[-2] + (shape(4)[-2] if has_past else 0)
            return (prod(shape(0)) + prod(made)) * steps
        if kind in ("LSTM", "GRU", "RNN"):
            steps, batch, _ = shape(0)
            return steps * batch * (prod(shape(1)) + prod(shape(2)))
        return 0


_KERNEL_AT = {"Conv": 1, "ConvInteger": 1, "DeformConv": 1, "QLinearConv": 3}
_OF_INTEGERS = ("ConvInteger", "MatMulInteger")
"""What multiplies by weights that are stored as integers."""


def weights_read(node: onnx.NodeProto) -> Iterable[str]:
    """The inputs of a node that are weights, where they are constants of more than one number.

    Those are all that convolutions, matrix products, recurrent layers, norms, sums and
    products, joins and look-ups read. What says how to resize, pad or clip is none. One that several nodes
    read counts once, unless it is a vector: exporters keep equal biases, as a fresh network has, as one.
    """
    if node.op_type not in _WEIGHTED:
        return ()
    left_out = _NO_WEIGHTS.get(node.op_type, ())
    return (name for place, name in enumerate(node.input) if name and place not in left_out)


def count_of_weights(constant: OnnxConstant, node: onnx.NodeProto) -> int:
    """Its values, where it can be weights of what reads it."""
    count = prod(constant.dims)
    return count if count > 1 and (constant.is_float or node.op_type in _OF_INTEGERS) else 0


def _input_shape(value: onnx.ValueInfoProto, given: Shape | None) -> Shape:
    batch, *extents = [extent.dim_value for extent in value.type.tensor_type.shape.dim] or [1]
    if given is not None and len(given) == len(extents):
        extents = [extent if extent > 0 else wanted for extent, wanted in zip(extents, given, strict=True)]
    if not all(extent > 0 for extent in extents):
        raise NetworkError(f"input '{value.name}' has no fixed shape; export it with fixed extents")
    rank = len(value.type.tensor_type.shape.dim)
    return (max(batch, 1), *extents)[:rank]


def _einsum_macs(equation: str, shapes: list[Shape]) -> int:
    """The product of all extents that the equation names."""
    extents: dict[str, int] = {}
    rest = 1
    for term, shape in zip(equation.replace(" ", "").split("->")[0].split(","), shapes, strict=True):
        before, _, after = term.partition("...")
        named = [*zip(before, shape, strict=False), *zip(reversed(after), reversed(shape), strict=False)]
        extents |= named
        if "..." in term:
            rest = max(rest, prod(shape[len(before) : len(shape) - len(after)]))
    return rest * prod(extents.values())
