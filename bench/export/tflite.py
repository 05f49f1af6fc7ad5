"""TFLite files written from the graph, operation by operation, never by converting.

Maps lie as (N, H, W, C), input and output too, so that no file needs a transpose. A ReLU or ReLU6 goes into
the operator before it where that has no other reader.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from typing_extensions import assert_never

from ...atomic import write_bytes
from ...devices.base import Artifact, TensorSpec
from ...zen.graph import (
    INPUT,
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
    Graph,
    GroupNorm,
    GroupSoftmax,
    LayerNorm,
    Linear,
    Multiply,
    Operation,
    Pool,
    Priced,
    Shape,
    Slice,
    Unflatten,
)
from ...zen.network import Network
from . import NETWORK_KEY
from .tflite_emitter import FUSED, Emitter
from .tflite_file import Model, model_bytes
from .tflite_norms import group_norm, layer_norm
from .tflite_quantise import gaussian_batches, halve, quantise
from .tflite_windows import VALID, convolution, pool
from .weights import Array

_OPERATORS: dict[Function, str] = {
    "relu": "RELU",
    "relu6": "RELU6",
    "elu": "ELU",
    "tanh": "TANH",
    "sigmoid": "LOGISTIC",
    "hard-swish": "HARD_SWISH",
}


def write_tflite(
    graph: Graph,
    state: Mapping[str, Array],
    path: Path,
    batch: int = 1,
    network: Network | None = None,
    precision: str = "fp32",
    calibration: Sequence[Array] = (),
) -> Artifact:
    """A TFLite file of the graph at a fixed batch; `state` holds torch's names.

    `precision` is fp32, fp16 (of the weights alone) or int8 (inputs and outputs too), calibrated on batches
    of shape (N, H, W, C) or, without any, on Gaussian ones.
    """
    model = lower(graph, state, batch)
    if network is not None:
        model.metadata[NETWORK_KEY] = json.dumps(network.to_json())
    shape = model.tensors[INPUT].shape
    if precision == "fp16":
        model = halve(model)
    data = model_bytes(model)
    if precision == "int8":
        data = quantise(data, calibration or gaussian_batches(shape))
    write_bytes(path, data)
    spec = TensorSpec(INPUT, shape, "int8" if precision == "int8" else "float32")
    return Artifact("tflite", path, hashlib.sha256(data).hexdigest(), (spec,), batch, precision)


def lower(graph: Graph, state: Mapping[str, Array], batch: int) -> Model:
    """The operators of a graph, its weights in them."""
    out = Emitter(graph, state, batch)
    fused = {op.name for op in out.fused.values()}
    positive = {op.name for op in graph.ops if isinstance(op, Activation) and op.function in FUSED}
    for op in graph.ops:
        if op.name not in fused:
            _lower(out, op, positive)
    return out.model


def _lower(out: Emitter, op: Operation, positive: set[str]) -> None:
    """`positive`: tensors without values below nought."""
    match op:
        case Conv():
            convolution(out, op)
        case BatchNorm():
            if op.name in out.scales:  # else it went into the convolution before it
                _scale(out, op)
        case Activation():
            _activation(out, op)
        case Add():
            _sum(out, op)
        case Multiply():
            out.emit("MUL", op.inputs, op.name, "MulOptions")
        case ChannelScale():
            _constant(out, op, "MUL", out.constants[op.name].values)
        case ChannelShift():
            _constant(out, op, "ADD", out.constants[op.name].values)
        case Affine():
            factor, offset = (
                out.constant(f"{op.name}.factor", op.factor),
                out.constant(f"{op.name}.offset", op.offset),
            )
            scaled = out.emit("MUL", (*op.inputs, factor), f"{op.name}.scaled", "MulOptions", op.shape)
            out.emit("ADD", (scaled, offset), op.name, "AddOptions")
        case LayerNorm():
            layer_norm(out, op)
        case GroupNorm():
            group_norm(out, op)
        case Concat():
            out.emit(
                "CONCATENATION", op.inputs, op.name, "ConcatenationOptions", fields={"Axis": len(op.shape)}
            )
        case Slice():
            _slice(out, op.inputs[0], op.name, op.start, op.shape)
        case GroupSoftmax():
            _group_softmax(out, op)
        case ChannelShuffle():
            _channel_shuffle(out, op)
        case Unflatten():
            out.reshape(op.inputs[0], op.name, op.shape)
        case Pool():
            pool(out, op, op.inputs[0] in positive)
        case GlobalAveragePool():
            axes = out.constant("height and width", [1, 2], "int32")
            out.emit("MEAN", (op.inputs[0], axes), op.name, "ReducerOptions", fields={"KeepDims": True})
        case Linear():
            _linear(out, op)
        case Priced():
            raise op.refusal()
        case _:
            assert_never(op)


def _linear(out: Emitter, op: Linear) -> None:
    kernel, shape = out.kernels[op.name], out.shapes[op.inputs[0]]
    weight = kernel.weight
    if len(shape) == 3:  # flattened here as (H, W, C), in torch as (C, H, W)
        weight = weight.reshape(-1, *shape).transpose(0, 2, 3, 1).reshape(weight.shape)
    weights = out.constant(f"{op.name}.weight", weight), out.constant(f"{op.name}.bias", kernel.bias)
    out.emit("FULLY_CONNECTED", (*op.inputs, *weights), kernel.output, "FullyConnectedOptions")


def _scale(out: Emitter, op: BatchNorm) -> None:
    """A depthwise 1x1: faster than MUL and ADD, and in int8 every channel has a scale of its own."""
    scale = out.scales[op.name]
    weight = out.constant(f"{op.name}.weight", scale.scale.reshape(1, 1, 1, -1))
    bias = out.constant(f"{op.name}.bias", scale.shift.ravel())
    window = {"Padding": VALID, "StrideW": 1, "StrideH": 1, "DepthMultiplier": 1}
    inputs = (*op.inputs, weight, bias)
    out.emit("DEPTHWISE_CONV_2D", inputs, op.name, "DepthwiseConv2DOptions", fields=window)


def _activation(out: Emitter, op: Activation) -> None:
    (x,) = op.inputs
    if op.function == "swish":
        gate = out.emit("LOGISTIC", (x,), f"{op.name}.gate", shape=op.shape)
        out.emit("MUL", (x, gate), op.name, "MulOptions")
    elif op.function == "hard-sigmoid":  # ReLU6(x + 3) / 6
        three, sixth = out.constant("three", 3), out.constant("sixth", 1 / 6)
        clipped = {"FusedActivationFunction": FUSED["relu6"]}
        raised = out.emit("ADD", (x, three), f"{op.name}.raised", "AddOptions", op.shape, clipped)
        out.emit("MUL", (raised, sixth), op.name, "MulOptions")
    elif op.function == "leaky-relu":
        out.emit("LEAKY_RELU", op.inputs, op.name, "LeakyReluOptions", fields={"Alpha": op.slope})
    elif op.function in ("gelu", "gelu-tanh"):
        fields = {"Approximate": op.function == "gelu-tanh"}
        out.emit("GELU", op.inputs, op.name, "GeluOptions", fields=fields)
    elif op.function == "mish":
        _mish(out, op)
    else:
        out.emit(_OPERATORS[op.function], op.inputs, op.name)


def _mish(out: Emitter, op: Activation) -> None:
    """x tanh(log(1 + exp(x))), which is x (1 - u^2) / (1 + u^2) with u = logistic(-x): nothing overflows."""
    (x,), one = op.inputs, out.constant("one", 1)
    names = {part: f"{op.name}.{part}" for part in ("turned", "u", "square", "less", "more", "gate")}
    out.emit("NEG", (x,), names["turned"], "NegOptions", op.shape)
    out.emit("LOGISTIC", (names["turned"],), names["u"], shape=op.shape)
    out.emit("MUL", (names["u"], names["u"]), names["square"], "MulOptions", op.shape)
    out.emit("SUB", (one, names["square"]), names["less"], "SubOptions", op.shape)
    out.emit("ADD", (names["square"], one), names["more"], "AddOptions", op.shape)
    out.emit("DIV", (names["less"], names["more"]), names["gate"], "DivOptions", op.shape)
    out.emit("MUL", (x, names["gate"]), op.name, "MulOptions")


def _constant(out: Emitter, op: ChannelScale | ChannelShift, kind: str, values: Array) -> None:
    options = {"MUL": "MulOptions", "ADD": "AddOptions"}[kind]
    out.emit(kind, (*op.inputs, out.constant(f"{op.name}.values", values.ravel())), op.name, options)


def _channel_shuffle(out: Emitter, op: ChannelShuffle) -> None:
    (x,), (channels, height, width) = op.inputs, op.shape
    width_of_group, places = channels // op.groups, height * width
    parts = out.reshape(x, f"{op.name}.parts", (width_of_group, places, op.groups))
    order = out.constant("groups and channels turned", [0, 1, 3, 2], "int32")
    shape = (op.groups, places, width_of_group)
    turned = out.emit("TRANSPOSE", (parts, order), f"{op.name}.turned", "TransposeOptions", shape)
    out.reshape(turned, op.name, op.shape)


def _sum(out: Emitter, op: Add) -> None:
    total, *others, last = op.inputs
    for number, other in enumerate(others, 1):
        total = out.emit("ADD", (total, other), f"{op.name}.partial{number}", "AddOptions", op.shape)
    out.emit("ADD", (total, last), op.name, "AddOptions")


def _slice(out: Emitter, x: str, name: str, start: int, shape: Shape) -> str:
    begin = out.constant(f"{name}.begin", [0] * len(shape) + [start], "int32")
    size = out.constant(f"{name}.size", out.laid_out(shape), "int32")
    return out.emit("SLICE", (x, begin, size), name, "SliceOptions", shape)


def _group_softmax(out: Emitter, op: GroupSoftmax) -> None:
    """SOFTMAX works along the last axis alone; here every place has its own, across the groups."""
    if op.groups == op.shape[0]:
        out.emit("SOFTMAX", op.inputs, op.name, "SoftmaxOptions", fields={"Beta": 1.0})
        return
    width = op.shape[0] // op.groups
    shape = (width, *op.shape[1:])
    (x,) = op.inputs
    parts = [_slice(out, x, f"{op.name}.part{n}", n * width, shape) for n in range(op.groups)]
    if op.groups == 2:  # exp(a) / (exp(a) + exp(b)) = logistic(a - b), and int8 has no exp
        pairs = enumerate((parts, parts[::-1]))
        gaps = [out.emit("SUB", tuple(pair), f"{op.name}.gap{n}", "SubOptions", shape) for n, pair in pairs]
        shares = [out.emit("LOGISTIC", (gap,), f"{gap}.share", shape=shape) for gap in gaps]
    else:
        shares = _softmax(out, parts, shape)
    out.emit("CONCATENATION", tuple(shares), op.name, "ConcatenationOptions", fields={"Axis": len(op.shape)})


def _softmax(out: Emitter, parts: list[str], shape: Shape) -> list[str]:
    most = parts[0]
    for part in parts[1:]:
        most = out.emit("MAXIMUM", (most, part), f"{part}.most", "MaximumMinimumOptions", shape)
    below = [out.emit("SUB", (part, most), f"{part}.below", "SubOptions", shape) for part in parts]
    powers = [out.emit("EXP", (part,), f"{part}.power", "ExpOptions", shape) for part in below]
    total = powers[0]
    for power in powers[1:]:
        total = out.emit("ADD", (total, power), f"{power}.total", "AddOptions", shape)
    return [out.emit("DIV", (power, total), f"{power}.share", "DivOptions", shape) for power in powers]
