"""Someone else's ONNX file -> Graph."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from ...errors import NetworkError, UserError, first_line
from ...zen.graph import INPUT, Function, Graph, PoolMode, Shape
from ...zen.importing.assembler import Assembler, Window

_HARD_SIGMOID = (1 / 6, 0.5)  # slope and offset of the function as networks use it


def graph_of_onnx(source: Path | onnx.ModelProto, shape: tuple[int, ...] | None = None) -> Graph:
    """The graph that a file or model computes, for one image; its weights are left behind.

    `shape`: channels, height and width where the file leaves some of them free. Batch norm that was folded
    into a convolution stays folded. Raises NetworkError where an operation has no counterpart or a shape is
    not fixed.
    """
    model = source if isinstance(source, onnx.ModelProto) else _load(source)
    try:
        onnx.checker.check_model(model if model is source else str(source))
    except onnx.checker.ValidationError as error:
        raise NetworkError(f"the ONNX file is not valid ({first_line(error)}); export it again") from None
    return _Reader(model.graph, shape).graph()


def _load(path: Path) -> onnx.ModelProto:
    try:
        # Weights beside the file are not needed: only their shapes are read.
        return onnx.load(str(path), load_external_data=False)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except Exception as error:  # noqa: BLE001 - protobuf raises classes of its own
        raise NetworkError(f"{path} is not an ONNX file ({type(error).__name__})") from None


class _Reader:
    """Reads a file node by node, in the topological order that the format prescribes."""

    def __init__(self, graph: onnx.GraphProto, shape: tuple[int, ...] | None) -> None:
        self.source = graph
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        images = [value for value in graph.input if value.name not in self.constants]
        if len(images) != 1 or len(graph.output) != 1:
            raise NetworkError(
                f"the file has {len(images)} inputs and {len(graph.output)} outputs; it must have one of each"
            )
        given = shape if shape is not None and len(shape) == 3 else None
        self.assembler = Assembler(given or _image_shape(images[0]))
        self.tensors = {images[0].name: INPUT}
        self.flat: set[str] = set()
        self.halves: dict[str, tuple[str, str]] = {}
        """Tensor -> the kind and our input or result of an operation that the next Add completes."""
        self.node = onnx.NodeProto()
        self.attributes: dict[str, Any] = {}

    def graph(self) -> Graph:
        for node in self.source.node:
            self.node = node
            self.attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == "Constant":
                self.constants[node.output[0]] = self._constant_tensor()
                continue
            if node.op_type == "Shape":
                raise NetworkError(f"{self.where} makes shapes depend on the input; export with fixed shapes")
            read = _READERS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
            if read is None:
                raise NetworkError(f"{self.where} cannot be read; express it by what docs/reading.md lists")
            try:
                found = read(self)
            except (ValueError, IndexError, TypeError) as error:
                # What the format's checker lets pass: weights without extents, attributes of another type.
                raise NetworkError(
                    f"{self.where} is not valid ({first_line(error)}); export it again"
                ) from None
            if found is not None:
                self.tensors[node.output[0]] = found
        return self.assembler.graph(self._tensor(self.source.output[0].name))

    @property
    def where(self) -> str:
        return f"'{self.node.name or ', '.join(self.node.output)}', a {self.node.op_type},"

    def _constant_tensor(self) -> onnx.TensorProto:
        ((name, value),) = self.attributes.items()
        return value if name == "value" else numpy_helper.from_array(np.asarray(value))

    def _tensor(self, name: str) -> str:
        if name in self.halves:
            raise NetworkError(f"'{name}' is multiplied by a constant without a bias added; add one")
        if name not in self.tensors:
            raise NetworkError(
                f"{self.where} reads '{name}', which is no tensor of the image; only those can be"
            )
        return self.tensors[name]

    def _weight(self, position: int) -> tuple[int, ...]:
        """The shape of a constant input."""
        name = self.node.input[position]
        if name not in self.constants:
            raise NetworkError(f"{self.where} computes its weights; they must be constants of the file")
        return tuple(self.constants[name].dims)

    def _numbers(self, position: int, attribute: str) -> NDArray[Any] | None:
        """The values of a constant input, which older opsets hold as an attribute; None where left out."""
        if attribute in self.attributes:
            return np.asarray(self.attributes[attribute])
        if position >= len(self.node.input) or not self.node.input[position]:
            return None
        name = self.node.input[position]
        if name not in self.constants:
            raise NetworkError(f"{self.where} computes its {attribute}; export the file with fixed shapes")
        constant = self.constants[name]
        if constant.data_location == onnx.TensorProto.EXTERNAL:
            # Read from wherever the command runs, it might be another file of that name.
            raise NetworkError(
                f"{self.where} has its {attribute} in another file; save the model as one file"
            )
        return numpy_helper.to_array(constant)

    def _window(self, kernel: tuple[int, ...]) -> Window:
        automatic = self.attributes.get("auto_pad", b"NOTSET").decode()
        words: dict[str, Literal["upper", "lower"]] = {"SAME_UPPER": "upper", "SAME_LOWER": "lower"}
        pads = words.get(automatic, self.attributes.get("pads", [0, 0, 0, 0]))
        strides, dilations = (self.attributes.get(name, [1, 1]) for name in ("strides", "dilations"))
        return Window(kernel, strides, pads, dilations)

    def conv(self) -> str:
        x, (out_channels, of_group, *kernel) = self._tensor(self.node.input[0]), self._weight(1)
        window, groups = self._window(tuple(kernel)), self.attributes.get("group", 1)
        if (given := self.assembler.shape(x)[0]) != of_group * groups:
            raise NetworkError(
                f"{self.where} has weights for {of_group * groups} channels and reads {given}; "
                "export it again"
            )
        return self.assembler.conv(x, out_channels, window, groups, len(self.node.input) > 2, self.where)

    def batch_norm(self) -> str:
        return self._kept(self.assembler.batch_norm(self._tensor(self.node.input[0]), self.where))

    def activation(self, function: Function) -> str:
        return self._kept(self.assembler.activation(self._tensor(self.node.input[0]), function, self.where))

    def hard_sigmoid(self) -> str:
        slope = self.attributes.get("alpha", 0.2), self.attributes.get("beta", 0.5)
        if not np.allclose(slope, _HARD_SIGMOID):
            raise NetworkError(
                f"{self.where} has alpha {slope[0]:g} and beta {slope[1]:g}; only 1/6 and 1/2 can be read"
            )
        return self.activation("hard-sigmoid")

    def clip(self) -> str:
        least, most = self._numbers(1, "min"), self._numbers(2, "max")
        functions: dict[float | None, Function] = {None: "relu", 6.0: "relu6"}
        function = functions.get(None if most is None else most.item())
        if least is None or least.item() != 0 or function is None:
            raise NetworkError(
                f"{self.where} clips to {least} and {most}; only 0 and 6, or 0 alone, can be read"
            )
        return self.activation(function)

    def add(self) -> str:
        names = list(self.node.input)
        constants = [name for name in names if name in self.constants]
        if not constants:
            return self._kept(self.assembler.add([self._tensor(name) for name in names], self.where))
        half = next((self.halves.pop(name) for name in names if name in self.halves), None)
        if half is None or len(names) != 2:
            raise NetworkError(f"{self.where} adds a constant; only a bias after weights can be read")
        kind, x = half
        if kind == "scale":
            return self.assembler.batch_norm(x, self.where)
        self.flat.add(self.node.output[0])
        return x

    def multiply(self) -> str | None:
        x, y = self.node.input
        for tensor, constant in ((x, y), (y, x)):
            if constant in self.constants:
                ours, shape = self._tensor(tensor), tuple(self.constants[constant].dims)
                channels = self.assembler.shape(ours)[0]
                if shape[-3:] != (channels, 1, 1):
                    raise NetworkError(
                        f"{self.where} multiplies by a constant; put it into the weights before it"
                    )
                self.halves[self.node.output[0]] = "scale", ours
                return None
        return self._kept(self.assembler.multiply(self._tensor(x), self._tensor(y), self.where))

    def concat(self) -> str:
        if self.attributes["axis"] not in (1, -3):
            raise NetworkError(
                f"{self.where} joins along axis {self.attributes['axis']}; only axis 1 can be read"
            )
        return self._kept(self.assembler.concat([self._tensor(name) for name in self.node.input], self.where))

    def pool(self, mode: PoolMode) -> str:
        window = self._window(tuple(self.attributes["kernel_shape"]))
        rounds_up = bool(self.attributes.get("ceil_mode", 0))
        counts_padding = bool(self.attributes.get("count_include_pad", 0))
        x = self._tensor(self.node.input[0])
        return self.assembler.pool(x, mode, window, self.where, rounds_up, counts_padding)

    def pad(self) -> str:
        mode = self.attributes.get("mode", b"constant").decode()
        pads, value = self._numbers(1, "pads"), self._numbers(2, "value")
        if mode != "constant" or pads is None or len(pads) != 8 or len(self.node.input) > 3:
            raise NetworkError(f"{self.where} pads by '{mode}'; only a constant around maps can be read")
        images, channels, top, left, *ends = map(int, pads)
        if images or channels or any(ends[:2]):
            raise NetworkError(f"{self.where} pads channels or images; only height and width can be padded")
        x, fill = self._tensor(self.node.input[0]), 0.0 if value is None else float(value.item())
        return self.assembler.pad(x, (top, left, ends[2], ends[3]), fill, self.where)

    def global_average_pool(self) -> str:
        return self.assembler.global_average_pool(self._tensor(self.node.input[0]), self.where)

    def mean(self) -> str:
        axes = self._numbers(1, "axes")
        if axes is None or {int(axis) % 4 for axis in axes} != {2, 3}:
            raise NetworkError(
                f"{self.where} takes the mean over {axes}; only height and width together can be"
            )
        if not self.attributes.get("keepdims", 1):
            self.flat.add(self.node.output[0])
        return self.global_average_pool()

    def flatten(self) -> str:
        if self.attributes.get("axis", 1) != 1:
            raise NetworkError(f"{self.where} flattens from axis {self.attributes['axis']}; only from axis 1")
        self.flat.add(self.node.output[0])
        return self._tensor(self.node.input[0])

    def reshape(self) -> str:
        x, shape = self._tensor(self.node.input[0]), self._numbers(1, "shape")
        if shape is None or len(shape) != 2 or shape[1] not in (-1, prod(self.assembler.shape(x))):
            raise NetworkError(f"{self.where} reshapes to {shape}; only flattening can be read")
        self.flat.add(self.node.output[0])
        return x

    def squeeze(self) -> str:
        x = self._tensor(self.node.input[0])
        if self.assembler.shape(x)[1:] != (1, 1):
            raise NetworkError(f"{self.where} squeezes a map; only a pooled one can be")
        self.flat.add(self.node.output[0])
        return x

    def passed(self) -> str | None:
        if self.node.input[0] in self.constants:  # exporters share equal weights by an Identity
            self.constants[self.node.output[0]] = self.constants[self.node.input[0]]
            return None
        return self._kept(self._tensor(self.node.input[0]))

    def gemm(self) -> str:
        rows = self._weight(1)
        out_features = rows[0] if self.attributes.get("transB", 0) else rows[1]
        return self._linear(out_features, bias=len(self.node.input) > 2)

    def matrix_product(self) -> None:
        self.halves[self.node.output[0]] = "linear", self._linear(self._weight(1)[1], bias=True)

    def _linear(self, out_features: int, bias: bool) -> str:
        if self.node.input[0] not in self.flat:
            raise NetworkError(f"{self.where} reads a map place by place; flatten it before")
        self.flat.add(self.node.output[0])
        return self.assembler.linear(self._tensor(self.node.input[0]), out_features, bias, self.where)

    def _kept(self, tensor: str) -> str:
        """Marks the output as flat where an input is."""
        if any(name in self.flat for name in self.node.input):
            self.flat.add(self.node.output[0])
        return tensor


def _image_shape(value: onnx.ValueInfoProto) -> Shape:
    extents = tuple(extent.dim_value for extent in value.type.tensor_type.shape.dim)[1:]
    if len(extents) != 3 or not all(extent > 0 for extent in extents):
        raise NetworkError(
            f"input '{value.name}' has no fixed channels, height and width; export it with fixed extents"
        )
    return extents


_READERS: dict[str, Callable[[_Reader], str | None]] = {
    "Conv": _Reader.conv,
    "BatchNormalization": _Reader.batch_norm,
    "Relu": lambda reader: reader.activation("relu"),
    "Sigmoid": lambda reader: reader.activation("sigmoid"),
    "HardSwish": lambda reader: reader.activation("hard-swish"),
    "HardSigmoid": _Reader.hard_sigmoid,
    "Clip": _Reader.clip,
    "Add": _Reader.add,
    "Sum": _Reader.add,
    "Mul": _Reader.multiply,
    "Concat": _Reader.concat,
    "MaxPool": lambda reader: reader.pool("max"),
    "AveragePool": lambda reader: reader.pool("average"),
    "Pad": _Reader.pad,
    "GlobalAveragePool": _Reader.global_average_pool,
    "ReduceMean": _Reader.mean,
    "Flatten": _Reader.flatten,
    "Reshape": _Reader.reshape,
    "Squeeze": _Reader.squeeze,
    "Gemm": _Reader.gemm,
    "MatMul": _Reader.matrix_product,
    "Identity": _Reader.passed,
    "Dropout": _Reader.passed,
}
