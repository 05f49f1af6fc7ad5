"""What a node of an ONNX file reads: tensors of the image, constants of the file, attributes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from ...errors import NetworkError
from ...zen.graph import INPUT, Shape
from ...zen.importing.assembler import Assembler
from ...zen.importing.read_graph import WeightSource
from ...zen.importing.window import Window
from .onnx_constants import OnnxConstant


class HalfRead(NamedTuple):
    """What files spell out node by node, as far as it has come: `kind` of what, made of our tensor `x`."""

    kind: Literal[
        "erf",
        "1 + erf",
        "x (1 + erf)",
        "softplus",
        "tanh softplus",
        "normed parts",
        "normed",
        "scaled",
        "all in a row",
    ]
    x: str
    epsilon: float = 0.0
    groups: int = 0
    constant: str = ""


class OnnxInputs:
    """A file of which one `node` after the other is read, with the tensors that are known so far."""

    def __init__(
        self,
        graph: onnx.GraphProto,
        shape: tuple[int, ...] | None,
        folder: Path | None,
        prices: bool = False,
    ) -> None:
        """`folder`: where the file lies; constants may lie in others there."""
        self.source, self.folder = graph, folder
        self.constants = {tensor.name: OnnxConstant.stored(tensor, folder) for tensor in graph.initializer}
        images = [value for value in graph.input if value.name not in self.constants]
        if (len(images) != 1 or len(graph.output) != 1) and not prices:
            raise NetworkError(
                f"the file has {len(images)} inputs and {len(graph.output)} outputs; it must have one of each"
            )
        image, *_ = images
        is_given = shape is not None and (prices or len(shape) == 3)
        given = shape if shape is not None and is_given else _image_shape(image)
        readers = [node for node in graph.node if image.name in node.input]
        is_last = bool(readers) and all(_puts_channels_first(node) for node in readers)
        self.assembler = Assembler((given[2], *given[:2]) if is_last else given, prices)
        self.tensors = {image.name: self.assembler.channels_last(INPUT) if is_last else INPUT}
        self.batch = next((one.dim_value for one in image.type.tensor_type.shape.dim), 1)
        self.halves: dict[str, HalfRead] = {}
        self.read_by: dict[str, str] = {}
        """Of weights, the node that reads them."""
        self.node = onnx.NodeProto()
        self.attributes: dict[str, Any] = {}

    @property
    def where(self) -> str:
        return f"'{self.node.name or ', '.join(self.node.output)}', a {self.node.op_type},"

    def _node_constant(self) -> OnnxConstant:
        """What a Constant node holds."""
        ((name, value),) = self.attributes.items()
        tensor = value if name == "value" else numpy_helper.from_array(np.asarray(value))
        return replace(OnnxConstant.stored(tensor, self.folder), stored_as=self.node.output[0])

    def _tensor(self, name: str) -> str:
        if name in self.halves:
            raise NetworkError(
                f"'{name}' is part of a function that cannot be read; express it by what docs/reading.md has"
            )
        if name not in self.tensors:
            raise NetworkError(
                f"{self.where} reads '{name}', which is no tensor of the image; only those can be"
            )
        return self.tensors[name]

    @property
    def _first(self) -> str:
        return self._tensor(self.node.input[0])

    def _weight(self, position: int) -> tuple[int, ...]:
        """The shape of a constant input."""
        name = self.node.input[position]
        if name not in self.constants:
            raise NetworkError(f"{self.where} computes its weights; they must be constants of the file")
        return self.constants[name].dims

    def _reads(self, position: int) -> bool:
        """Whether it has an input there."""
        return position < len(self.node.input) and bool(self.node.input[position])

    def _weighed(self, made: str, **positions: int) -> str:
        """The tensor made last, with the constant inputs that are its weights."""
        read = {part: self.node.input[place] for part, place in positions.items() if self._reads(place)}
        return self.assembler.weighed(made, **{part: self._source(name) for part, name in read.items()})

    def _source(
        self, name: str, change: Callable[[NDArray[Any]], NDArray[Any]] | None = None
    ) -> WeightSource:
        """Where the values of a weight come from, changed where told.

        One that several nodes read would count and be learned several times; but exporters keep equal
        constants as one, as the biases of a fresh network are, and kernels behind which a norm starts at 0.
        """
        if name not in self.constants:
            raise NetworkError(f"{self.where} computes its weights; they must be constants of the file")
        constant, where = self.constants[name], self.where
        reader = self.read_by.setdefault(constant.stored_as, self.node.output[0])
        is_again = reader != self.node.output[0] and not constant.is_vector
        if is_again and np.ptp(self._values(name, "weights", where)) > 0:
            raise NetworkError(f"{where} uses its weights a second time; give each use its own layer")

        def values() -> NDArray[Any]:
            found = self._values(name, "weights", where)
            return found if change is None else change(found)

        return values

    def _numbers(self, position: int, attribute: str) -> NDArray[Any] | None:
        """The values of a constant input, which older opsets hold as an attribute; None where left out."""
        if attribute in self.attributes:
            return np.asarray(self.attributes[attribute])
        if not self._reads(position):
            return None
        name = self.node.input[position]
        if name not in self.constants:
            raise NetworkError(f"{self.where} computes its {attribute}; export the file with fixed shapes")
        return self._values(name, attribute, self.where)

    def _values(self, name: str, what: str, where: str) -> NDArray[Any]:
        try:
            return self.constants[name].read()
        except NetworkError as error:
            raise NetworkError(f"{where} cannot have its {what}: {error}") from None

    def _number(self, name: str) -> float | None:
        """A constant of one value."""
        is_one = name in self.constants and prod(self.constants[name].dims) == 1
        return float(self._values(name, "number", self.where).item()) if is_one else None

    def _axis(self, axis: int, rank: int) -> int:
        """An axis that does not count the batch, of so many axes with it."""
        if axis % rank == 0:
            raise NetworkError(f"{self.where} works along the batch; only along axes of an image")
        return axis % rank - 1

    def _channels(self, x: str, axis: int) -> int:
        """The extent of the channels, which the axis has to name."""
        shape = self.assembler.shape(x)
        if self._axis(axis, len(shape) + 1) != 0:
            raise NetworkError(f"{self.where} works along axis {axis}; only channels, axis 1, can be taken")
        return shape[0]

    def _window(self, kernel: tuple[int, ...]) -> Window:
        automatic = self.attributes.get("auto_pad", b"NOTSET").decode()
        words: dict[str, Literal["upper", "lower"]] = {"SAME_UPPER": "upper", "SAME_LOWER": "lower"}
        pads = words.get(automatic, self.attributes.get("pads", [0, 0, 0, 0]))
        strides, dilations = (self.attributes.get(name, [1, 1]) for name in ("strides", "dilations"))
        return Window(kernel, strides, pads, dilations)


def _puts_channels_first(node: onnx.NodeProto) -> bool:
    """A Transpose of (N, H, W, C) to (N, C, H, W)."""
    return node.op_type == "Transpose" and any(list(one.ints) == [0, 3, 1, 2] for one in node.attribute)


def _image_shape(value: onnx.ValueInfoProto) -> Shape:
    extents = tuple(extent.dim_value for extent in value.type.tensor_type.shape.dim)[1:]
    if len(extents) != 3 or not all(extent > 0 for extent in extents):
        raise NetworkError(
            f"input '{value.name}' has no fixed channels, height and width; export it with fixed extents"
        )
    return extents
