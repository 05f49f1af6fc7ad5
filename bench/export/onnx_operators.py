"""Operation -> ONNX operators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import pi, sqrt
from typing import Any

import numpy as np
from onnx import NodeProto, helper, numpy_helper
from typing_extensions import assert_never

from ...zen.graph import (
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
from .weights import Weights

_FUNCTIONS: dict[Function, str] = {
    "relu": "Relu",
    "leaky-relu": "LeakyRelu",
    "elu": "Elu",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "hard-swish": "HardSwish",
    "hard-sigmoid": "HardSigmoid",
}


def operators(op: Operation, folded: Mapping[str, Weights], dtype: np.dtype[Any]) -> Iterator[NodeProto]:
    """In opset 17; `dtype`: of the numbers in them. A batch norm that was folded has none."""
    inputs = list(op.inputs)
    match op:
        case Conv():
            yield _convolution(op, folded[op.name].output)
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
        case ChannelScale():
            yield helper.make_node("Mul", [*inputs, f"{op.name}.values"], [op.name])
        case ChannelShift():
            yield helper.make_node("Add", [*inputs, f"{op.name}.values"], [op.name])
        case Affine():
            yield from _Steps(op, dtype).affine()
        case LayerNorm():
            yield from _layer_norm(op)
        case GroupNorm():
            yield from _group_norm(op, dtype)
        case Concat():
            yield helper.make_node("Concat", inputs, [op.name], axis=1)
        case Slice():
            bounds = [_integers(f"{op.name}.{part}", [value]) for part, value in _bounds(op)]
            yield from bounds
            yield helper.make_node("Slice", [*inputs, *(node.output[0] for node in bounds)], [op.name])
        case GroupSoftmax():
            yield from _group_softmax(op)
        case ChannelShuffle():
            yield from _channel_shuffle(op)
        case Unflatten():
            whole = _integers(f"{op.name}.whole", [0, *op.shape])
            yield whole
            yield helper.make_node("Reshape", [*inputs, whole.output[0]], [op.name])
        case Pool():
            yield _pool(op)
        case GlobalAveragePool():
            yield helper.make_node("GlobalAveragePool", inputs, [op.name])
        case Linear():
            yield from _linear(op)
        case Priced():
            raise op.refusal()
        case _:
            assert_never(op)


def _convolution(op: Conv, output: str) -> NodeProto:
    return helper.make_node(
        "Conv",
        [*op.inputs, f"{op.name}.weight", f"{op.name}.bias"],
        [output],
        kernel_shape=[op.kernel] * 2,
        strides=[op.stride] * 2,
        pads=op.padding,
        dilations=[op.dilation] * 2,
        group=op.groups,
    )


def _linear(op: Linear) -> Iterator[NodeProto]:
    flat = f"{op.name}.flat"
    yield helper.make_node("Flatten", op.inputs, [flat])
    yield helper.make_node("Gemm", [flat, f"{op.name}.weight", f"{op.name}.bias"], [op.name], transB=1)


def _pool(op: Pool) -> NodeProto:
    window: dict[str, Any] = {"kernel_shape": [op.kernel] * 2, "strides": [op.stride] * 2, "pads": op.padding}
    if op.mode == "max":
        return helper.make_node("MaxPool", op.inputs, [op.name], **window)
    counts = int(op.counts_padding)
    return helper.make_node("AveragePool", op.inputs, [op.name], count_include_pad=counts, **window)


def _activation(op: Activation, dtype: np.dtype[Any]) -> Iterator[NodeProto]:
    (x,) = op.inputs
    if op.function == "swish":  # x sigmoid(x): a Swish of its own came with opset 24
        gate = f"{op.name}.gate"
        yield helper.make_node("Sigmoid", [x], [gate])
        yield helper.make_node("Mul", [x, gate], [op.name])
    elif op.function in ("mish", "gelu", "gelu-tanh"):
        yield from _composed(op, dtype)
    elif op.function == "relu6":
        limits = [
            _number(f"{op.name}.{part}", value, dtype) for part, value in (("least", 0.0), ("most", 6.0))
        ]
        yield from limits
        yield helper.make_node("Clip", [x, *(node.output[0] for node in limits)], [op.name])
    else:
        slopes = {"hard-sigmoid": 1 / 6, "leaky-relu": op.slope}
        slope: dict[str, Any] = {"alpha": slopes[op.function]} if op.function in slopes else {}
        yield helper.make_node(_FUNCTIONS[op.function], [x], [op.name], **slope)


class _Steps:
    """Operators one after the other that end in an operation of the graph; each method gives its output."""

    def __init__(self, op: Affine | Activation, dtype: np.dtype[Any]) -> None:
        self.op, self.dtype = op, dtype
        self.nodes: list[NodeProto] = []

    def affine(self) -> list[NodeProto]:
        """x * factor + offset, without what changes nothing."""
        assert isinstance(self.op, Affine)  # noqa: S101 - narrows the type
        (x,), steps = self.op.inputs, [("Mul", self.op.factor, 1.0), ("Add", self.op.offset, 0.0)]
        needed = [(kind, value) for kind, value, neutral in steps if value != neutral]
        for kind, value in needed or [("Mul", 1.0)]:
            x = self.step(kind, x, value)
        return self.end()

    def step(self, kind: str, *inputs: str | float) -> str:
        names = [one if isinstance(one, str) else self._constant(one) for one in inputs]
        output = f"{self.op.name}.step{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [output]))
        return output

    def end(self) -> list[NodeProto]:
        """The operators, the last of which writes the operation's tensor."""
        self.nodes[-1].output[0] = self.op.name
        return self.nodes

    def _constant(self, value: float) -> str:
        self.nodes.append(_number(f"{self.op.name}.number{len(self.nodes)}", value, self.dtype))
        return str(self.nodes[-1].output[0])


def _composed(op: Activation, dtype: np.dtype[Any]) -> list[NodeProto]:
    """Functions that opset 17 has no operator for."""
    (x,) = op.inputs
    steps = _Steps(op, dtype)
    if op.function == "mish":  # x tanh(log(1 + exp(x)))
        steps.step("Mul", x, steps.step("Tanh", steps.step("Softplus", x)))
        return steps.end()
    if op.function == "gelu":  # as torch writes it: ONNX Runtime fuses a division, and no product
        inner = steps.step("Erf", steps.step("Div", x, sqrt(2)))
    else:  # x + 0.044715 x^3, as x (1 + 0.044715 x^2)
        cubic = steps.step("Add", steps.step("Mul", steps.step("Mul", x, x), 0.044715), 1.0)
        inner = steps.step("Tanh", steps.step("Mul", steps.step("Mul", x, cubic), sqrt(2 / pi)))
    steps.step("Mul", steps.step("Mul", x, steps.step("Add", inner, 1.0)), 0.5)
    return steps.end()


def _layer_norm(op: LayerNorm) -> Iterator[NodeProto]:
    (x,), output = op.inputs, op.name
    if len(op.shape) == 3:
        x, output = f"{op.name}.last", f"{op.name}.normed"
        yield helper.make_node("Transpose", op.inputs, [x], perm=[0, 2, 3, 1])
    weights = [f"{op.name}.scale", f"{op.name}.shift"]
    yield helper.make_node("LayerNormalization", [x, *weights], [output], axis=-1, epsilon=op.epsilon)
    if len(op.shape) == 3:
        yield helper.make_node("Transpose", [output], [op.name], perm=[0, 3, 1, 2])


def _group_norm(op: GroupNorm, dtype: np.dtype[Any]) -> Iterator[NodeProto]:
    """The groups as channels of an instance norm without weights: a GroupNormalization came with opset 18."""
    grouped, whole = (
        _integers(f"{op.name}.groups", [0, op.groups, -1]),
        _integers(f"{op.name}.whole", [0, *op.shape]),
    )
    ones, zeros = (
        helper.make_node(
            "Constant",
            [],
            [f"{op.name}.{name}"],
            value=numpy_helper.from_array(np.full(op.groups, value, dtype)),
        )
        for name, value in (("ones", 1), ("zeros", 0))
    )
    yield from (grouped, whole, ones, zeros)
    x, normed, back, scaled = (f"{op.name}.{part}" for part in ("parts", "normed", "back", "scaled"))
    yield helper.make_node("Reshape", [op.inputs[0], grouped.output[0]], [x])
    weights = ones.output[0], zeros.output[0]
    yield helper.make_node("InstanceNormalization", [x, *weights], [normed], epsilon=op.epsilon)
    yield helper.make_node("Reshape", [normed, whole.output[0]], [back])
    yield helper.make_node("Mul", [back, f"{op.name}.scale"], [scaled])
    yield helper.make_node("Add", [scaled, f"{op.name}.shift"], [op.name])


def _channel_shuffle(op: ChannelShuffle) -> Iterator[NodeProto]:
    channels, height, width = op.shape
    grouped = _integers(f"{op.name}.grouped", [0, op.groups, channels // op.groups, height, width])
    whole = _integers(f"{op.name}.whole", [0, channels, height, width])
    yield from (grouped, whole)
    yield helper.make_node("Reshape", [op.inputs[0], grouped.output[0]], [f"{op.name}.parts"])
    yield helper.make_node("Transpose", [f"{op.name}.parts"], [f"{op.name}.turned"], perm=[0, 2, 1, 3, 4])
    yield helper.make_node("Reshape", [f"{op.name}.turned", whole.output[0]], [op.name])


def _group_softmax(op: GroupSoftmax) -> Iterator[NodeProto]:
    channels, *places = op.shape
    if op.groups == channels:
        yield helper.make_node("Softmax", op.inputs, [op.name], axis=1)
        return
    grouped = _integers(f"{op.name}.grouped", [0, op.groups, channels // op.groups, *places])
    whole = _integers(f"{op.name}.whole", [0, *op.shape])
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
