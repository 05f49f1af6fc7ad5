"""What an operator of a TFLite file reads: tensors of the image, constants of the file, options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ....errors import NetworkError
from ....zen.graph import INPUT, Function, Shape
from ....zen.importing.assembler import Assembler
from ....zen.importing.read_graph import WeightSource
from ....zen.importing.window import Window
from .parsing import StoredGraph, StoredOperator, StoredTensor


@dataclass(frozen=True, slots=True)
class HeldMap:
    """A map of ours in a form that few operators can read.

    `flattened`: features (H W C,), where ours would be (C H W,). `padded`: of the assembler. `grouped`: with
    its channels in `groups`, as a shuffle has them; `turned`: these with their order turned.
    """

    form: Literal["flattened", "padded", "grouped", "turned"]
    x: str
    groups: int = 0


SpelledKind = Literal[
    "mean", "gap", "square", "variance", "raised", "inverse", "normed", "scaled", "mish gate"
]


@dataclass(frozen=True, slots=True)
class Spelled:
    """A function that files spell out, as far as it has come: a norm of the tensor of number `x`, whose
    `scale` is the constant of that number, or the gate of a mish of our tensor `source`."""

    kind: SpelledKind
    x: int = -1
    epsilon: float = 0.0
    scale: int = -1
    source: str = ""


_READERS = {
    "flattened": "only a fully connected layer can read it",
    "padded": "only a convolution or pool can read it",
    "grouped": "only a shuffle of channels can read it",
    "turned": "only a shuffle of channels can read it",
}


_MOST_NUMBERS = 64  # of a constant that is no weight
_FUSED: dict[int, Function | None] = {0: None, 1: "relu", 3: "relu6", 4: "tanh"}
_PADDING: dict[int, Literal["upper", 0]] = {0: "upper", 1: 0}


class TfliteInputs:
    """A file of which one operator after the other is read, with the tensors that are known so far.

    Maps are the assembler's views (H, W, C), as they lie in the file.
    """

    def __init__(self, source: StoredGraph, shape: tuple[int, ...] | None, prices: bool = False) -> None:
        self.source = source
        if not prices and (len(source.inputs) != 1 or len(source.outputs) != 1):
            raise NetworkError(
                f"the file has {len(source.inputs)} inputs and {len(source.outputs)} outputs; it must have "
                "one of each"
            )
        if not source.inputs:
            raise NetworkError("the file has no input; it must have one")
        image, *_ = source.inputs
        self.batch, given = _image_shape(source.tensors[image], shape)
        readers = [one for one in source.operators if image in one.inputs]
        self.tensors: dict[int, str] = {}
        if readers and all(self._puts_channels_last(one) for one in readers):
            self.assembler = Assembler((given[0], given[1], given[2]), prices)
            self.tensors[image] = INPUT
        else:
            self.assembler = Assembler((given[2], given[0], given[1]), prices)
            self.tensors[image] = self.assembler.channels_last(INPUT)
        self.constants = {n: one for n, one in enumerate(source.tensors) if one.data is not None}
        self.read_by: dict[int, int] = {}
        """Of weights, what the operator makes that reads them."""
        self.held: dict[int, HeldMap] = {}
        self.spelled: dict[int, Spelled] = {}
        self.shapes: set[int] = set()
        """Numbers that are computed of shapes alone."""
        self.operator = StoredOperator("", (), (), None)

    def _puts_channels_last(self, operator: StoredOperator) -> bool:
        """A TRANSPOSE of (N, C, H, W) to (N, H, W, C)."""
        if operator.kind != "TRANSPOSE" or self.source.tensors[operator.inputs[1]].data is None:
            return False
        order: list[int] = self.source.tensors[operator.inputs[1]].values().tolist()
        return order == [0, 2, 3, 1]

    @property
    def where(self) -> str:
        names = [self.source.tensors[number].name for number in self.operator.outputs[:1]]
        return f"'{', '.join(names)}', a {self.operator.kind},"

    def is_of_shapes(self) -> bool:
        """Whether the operator makes a shape, or computes with nothing but shapes and constants.

        Converters write so what follows from a free batch. Nobody has to compute it: the file tells the
        shape of every tensor.
        """
        known = [n for n in self.operator.inputs if n not in self.constants and n >= 0]
        return self.operator.kind == "SHAPE" or (bool(known) and self.shapes.issuperset(known))

    def _option(self, name: str, default: Any) -> Any:
        """What the options say; files leave options out that all have their usual values."""
        return default if self.operator.options is None else getattr(self.operator.options, name)()

    def _reads(self, position: int) -> bool:
        """Whether it has an input there."""
        return position < len(self.operator.inputs) and self.operator.inputs[position] >= 0

    def _tensor(self, position: int) -> str:
        number = self.operator.inputs[position]
        if (held := self.held.get(number)) is not None:
            raise NetworkError(f"{self.where} reads a map that is {held.form}; {_READERS[held.form]}")
        if number in self.spelled:
            raise NetworkError(f"{self.where} reads a part of a norm or mish that cannot be read")
        if number not in self.tensors:
            raise NetworkError(
                f"{self.where} reads '{self.source.tensors[number].name}', which is no tensor of the image; "
                "only those can be"
            )
        return self.tensors[number]

    @property
    def _first(self) -> str:
        return self._tensor(0)

    def _held(self, form: str) -> HeldMap | None:
        """The first input where it is a map in that form."""
        held = self.held.get(self.operator.inputs[0])
        return held if held is not None and held.form == form else None

    def _map(self) -> str:
        """The map of ours behind the first input, (H, W, C)."""
        x = self._first
        if len(self.assembler.shape(x)) != 3:
            raise NetworkError(f"{self.where} reads features; it must read a map")
        return self.assembler.permute(x, (2, 0, 1), self.where)

    def _constant(self, position: int) -> StoredTensor:
        number = self.operator.inputs[position]
        if number not in self.constants:
            raise NetworkError(f"{self.where} computes its weights; they must be constants of the file")
        return self.constants[number]

    def _is_constant(self, position: int) -> bool:
        return self.operator.inputs[position] in self.constants

    def _numbers(self, position: int, what: str) -> list[Any]:
        """The values of a constant input."""
        number = self.operator.inputs[position]
        if number not in self.constants:
            raise NetworkError(f"{self.where} computes its {what}; convert the network with fixed shapes")
        held = self.constants[number]
        if prod(held.shape) > _MOST_NUMBERS:
            raise NetworkError(
                f"{self.where} has {prod(held.shape)} numbers for its {what}; convert it again"
            )
        found: list[Any] = held.values().tolist()
        return found

    def _number(self, position: int) -> float | None:
        """A constant of one value."""
        held = self._constant(position)
        return float(held.values().item()) if prod(held.shape) == 1 else None

    def _source(
        self, position: int, change: Callable[[NDArray[Any]], NDArray[Any]] = np.asarray
    ) -> WeightSource | None:
        """Where the values of a constant come from; None where it has none."""
        if not self._reads(position):
            return None
        constant, number = self._constant(position), self.operator.inputs[position]
        reader = self.read_by.setdefault(number, self.operator.outputs[0])
        # Converters keep equal vectors, as biases of a fresh network are, as one.
        if reader != self.operator.outputs[0] and len([x for x in constant.shape if x > 1]) > 1:
            raise NetworkError(f"{self.where} uses its weights a second time; give each use its own layer")
        return lambda: change(constant.values())

    def _window(self, kernel: tuple[int, int]) -> Window:
        padding = _PADDING[self._option("Padding", 0)]
        stride = self._option("StrideH", 0), self._option("StrideW", 0)
        dilation = (1, 1)
        if hasattr(self.operator.options, "DilationHFactor"):
            dilation = self._option("DilationHFactor", 1), self._option("DilationWFactor", 1)
        return Window(kernel, stride, padding, dilation)

    def _axis(self, axis: int, rank: int) -> int:
        """An axis that does not count the batch, of so many axes with it."""
        if not -rank < axis < rank or axis == 0:
            raise NetworkError(f"{self.where} works along the batch; only along axes of an image")
        return axis % rank - 1

    def _without_batch(self, shape: list[int]) -> Shape:
        if not shape or shape[0] not in (-1, self.batch):
            raise NetworkError(f"{self.where} makes the shape {shape}; it must keep the images apart")
        return tuple(shape[1:])

    def _fused(self, made: str) -> str:
        """With the activation that the operator holds behind what it computes."""
        number = self._option("FusedActivationFunction", 0)
        if number not in _FUSED:
            raise NetworkError(f"{self.where} holds an activation that cannot be read; use ReLU or ReLU6")
        function = _FUSED[number]
        return made if function is None else self.assembler.activation(made, function, self.where)

    def _check_output(self, number: int, shape: Shape) -> None:
        """The file tells every shape once more: what differs was read wrongly, here or by its writer."""
        told = self.source.tensors[number].shape
        if len(told) != len(shape) + 1 or any(
            extent not in (-1, ours) for extent, ours in zip(told[1:], shape, strict=True)
        ):
            raise NetworkError(
                f"{self.where} has the shape {told} in the file, but computes {(self.batch, *shape)}; "
                "convert the network again"
            )


def _image_shape(image: StoredTensor, shape: tuple[int, ...] | None) -> tuple[int, Shape]:
    """How many images, one where that is free, and the shape of each."""
    if len(image.shape) != 4:
        raise NetworkError(f"input '{image.name}' is no batch of images; only networks of images can be read")
    given = image.shape[1:] if shape is None else shape
    if len(given) != 3 or min(given) < 1:
        raise NetworkError(
            f"input '{image.name}' has no fixed height and width; convert it with fixed extents"
        )
    return max(image.shape[0], 1), given
