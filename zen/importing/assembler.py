"""Assembling a graph from another library's operations, and refusing what ours cannot express."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, inf
from typing import Literal

from ...errors import NetworkError
from ..graph import (
    INPUT,
    Activation,
    BatchNorm,
    Conv,
    Function,
    GlobalAveragePool,
    Graph,
    GraphBuilder,
    Multiply,
    Operation,
    PoolMode,
    Shape,
)
from ..windows import Padding, fitted, reach_of

_GATED: dict[Function, Function] = {"sigmoid": "swish", "hard-sigmoid": "hard-swish"}
"""What x f(x) is called, by f."""


_POSITIVE: tuple[Function, ...] = ("relu", "relu6", "sigmoid", "hard-sigmoid")
"""Functions without values below nought."""


@dataclass(frozen=True, slots=True)
class Window:
    """What a convolution or pool says about its window: one number an axis, or one for both.

    `padding` is height then width, or the four ends (top, left, bottom, right), or a word: as much as
    ceil(size / stride) windows need, the larger half of it behind the map ("upper") or before it ("lower").
    """

    kernel: Sequence[int] | int
    stride: Sequence[int] | int
    padding: Sequence[int] | int | Literal["upper", "lower"]
    dilation: Sequence[int] | int = 1

    def square(self, where: str) -> tuple[int, int, int]:
        """Kernel, stride and dilation where they are one number each; NetworkError, naming `where`, else."""
        found = []
        for name in ("kernel", "stride", "dilation"):
            value = getattr(self, name)
            values = {value} if isinstance(value, int) else set(value)
            if len(values) != 1:
                listed = " x ".join(map(str, value))
                raise NetworkError(f"{where} has the {name} {listed}; make it the same on both axes")
            found.append(values.pop())
        if min(found) < 1:
            raise NetworkError(
                f"{where} has kernel {found[0]}, stride {found[1]} and dilation {found[2]}; no runtime can "
                "run it, export it again"
            )
        kernel, stride, dilation = found
        return kernel, stride, dilation

    def ends(self, size: int, where: str) -> Padding:
        """The padding on a map of that size."""
        kernel, stride, dilation = self.square(where)
        if isinstance(self.padding, str):
            needed = max((size - 1) // stride * stride + reach_of(kernel, dilation) - size, 0)
            before = needed // 2 if self.padding == "upper" else needed - needed // 2
            return before, before, needed - before, needed - before
        ends = (self.padding,) * 4 if isinstance(self.padding, int) else tuple(self.padding)
        top, left, bottom, right = ends if len(ends) == 4 else ends * 2
        if min(ends) < 0:
            raise NetworkError(f"{where} has a padding below nought; cut the map before it")
        return top, left, bottom, right


@dataclass(frozen=True, slots=True)
class _Padded:
    """A map with a constant around it, which the convolution or pool that reads it takes for its padding."""

    source: str
    shape: Shape
    padding: Padding
    value: float


@dataclass
class Assembler:
    """Appends operations of another library to a graph.

    Tensors are ours; `where` names an operation as its library does, for the one sentence of the
    NetworkError that every method raises for what cannot be expressed.
    """

    input_shape: Shape
    _builder: GraphBuilder = field(init=False)
    _padded: dict[str, _Padded] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.input_shape) != 3 or self.input_shape[1] != self.input_shape[2]:
            shape = " x ".join(map(str, self.input_shape))
            raise NetworkError(f"the input is {shape}; it must be channels x height x width, and square")
        self._builder = GraphBuilder(self.input_shape)

    def shape(self, x: str) -> Shape:
        return self._padded[x].shape if x in self._padded else self._builder.shape(x)

    def pad(self, x: str, padding: Padding, value: float, where: str) -> str:
        """The map with so much of a value around it, for a convolution or pool."""
        channels, height, width = self.shape(self._image(x, where))
        top, left, bottom, right = padding
        if not any(padding):
            return x
        if min(padding) < 0:
            raise NetworkError(f"{where} has a padding below nought; only padding that adds can be read")
        name, shape = f"{x} padded {padding} {value}", (channels, top + height + bottom, left + width + right)
        self._padded[name] = _Padded(x, shape, padding, value)
        return name

    def conv(self, x: str, out_channels: int, window: Window, groups: int, bias: bool, where: str) -> str:
        kernel, stride, dilation = window.square(where)
        around = self._padded.get(x)
        padding = self._square_padding(x, window, where)
        if around:
            if around.value != 0:
                raise NetworkError(f"{where} reads a map padded with {around.value:g}; pad it with zeros")
            x = around.source
        in_channels = self.shape(self._image(x, where))[0]
        if groups < 1 or out_channels < 1 or in_channels % groups or out_channels % groups:
            raise NetworkError(
                f"{where} makes {out_channels} channels of {in_channels} in {groups} groups; no runtime can, "
                "export it again"
            )
        return self._builder.conv(x, out_channels, kernel, stride, groups, bias, padding, dilation)

    def batch_norm(self, x: str, where: str) -> str:
        return self._builder.batch_norm(self._image(x, where))

    def activation(self, x: str, function: Function, where: str) -> str:
        return self._builder.activation(self._plain(x, where), function)

    def add(self, branches: Sequence[str], where: str) -> str:
        """A residual sum where, behind what all branches come from, some hold more convolutions.

        Those with the most are the trunk, the others shortcuts; else all count alike.
        """
        if len({self.shape(self._plain(x, where)) for x in branches}) > 1:
            raise NetworkError(f"{where} adds tensors of different shapes; give them the same")
        depths = self._depths(branches)
        trunk = self._builder.sum(
            [x for x, depth in zip(branches, depths, strict=True) if depth == max(depths)]
        )
        for x, depth in zip(branches, depths, strict=True):
            if depth < max(depths):
                trunk = self._builder.add(trunk, x)
        return trunk

    def multiply(self, x: str, y: str, where: str) -> str:
        """x f(x) where one is a sigmoid of the other, else the product of a tensor and its gate."""
        ops = {op.name: op for op in self._ops()}
        x, y = self._plain(x, where), self._plain(y, where)
        for value, gate in ((x, y), (y, x)):
            op = ops.get(gate)
            is_sigmoid = isinstance(op, Activation) and op.function in _GATED
            if isinstance(op, Activation) and is_sigmoid and op.inputs[0] == value:
                return self._builder.activation(value, _GATED[op.function])
            if self.shape(gate) == (self.shape(value)[0], 1, 1) and (
                is_sigmoid or self.shape(value) != self.shape(gate)
            ):
                return self._builder.multiply(value, gate)
        raise NetworkError(
            f"{where} multiplies tensors of the shapes {self.shape(x)} and {self.shape(y)}; one must be a "
            "gate of one value a channel, (C, 1, 1)"
        )

    def concat(self, parts: Sequence[str], where: str) -> str:
        if len({self.shape(self._image(x, where))[1:] for x in parts}) > 1:
            raise NetworkError(f"{where} joins tensors of different sizes; give them the same")
        return self._builder.concat(parts)

    def pool(
        self, x: str, mode: PoolMode, window: Window, where: str, rounds_up: bool, counts_padding: bool
    ) -> str:
        """`rounds_up`: a window cut by the image's end is kept; `counts_padding`: as zeros in an average."""
        kernel, stride, dilation = window.square(where)
        if dilation != 1:
            raise NetworkError(f"{where} has the dilation {dilation}; only convolutions can have one")
        padding = self._square_padding(x, window, where)
        if around := self._padded.get(x):
            self._check_pooled_padding(around, mode, window, where)
            x, counts_padding = around.source, True
        size = self.shape(self._image(x, where))[1]
        if max(padding) >= kernel:
            raise NetworkError(f"{where} has windows that lie on its padding alone; pad less than the kernel")
        if mode == "average" and kernel == size and not any(padding):
            return self._builder.global_average_pool(x)
        if rounds_up:
            before, after = padding[0], padding[2]
            count = 1 + ceil((size + before + after - kernel) / stride)
            if (count - 1) * stride >= size + before:
                count -= 1  # a window must begin inside the image
            cut = (count - 1) * stride + kernel - size - before
            if counts_padding and any(padding) and cut > after:
                raise NetworkError(
                    f"{where} counts its padding but not what lies beyond it; set ceil_mode or "
                    "count_include_pad to false"
                )
            if not any(padding):
                counts_padding = False
            padding = (before, before, max(after, cut), max(after, cut))
        return self._builder.pool(x, mode, kernel, stride, padding, mode == "average" and counts_padding)

    def global_average_pool(self, x: str, where: str) -> str:
        return self._builder.global_average_pool(self._image(x, where))

    def linear(self, x: str, out_features: int, bias: bool, where: str) -> str:
        if not bias:
            raise NetworkError(f"{where} is a linear layer without bias; give it one")
        return self._builder.linear(self._plain(x, where), out_features)

    def graph(self, output: str) -> Graph:
        """The graph up to `output`, without what does not reach it."""
        needed = {self._plain(output, "the network's output")}
        kept: list[Operation] = []
        for op in reversed(self._ops()):
            if op.name in needed:
                needed.update(op.inputs)
                kept.append(op)
        if not kept:
            raise NetworkError("the network hands its input on as it is; there is nothing to read")
        return Graph(self.input_shape, tuple(reversed(kept)))

    def _check_pooled_padding(self, around: _Padded, mode: PoolMode, window: Window, where: str) -> None:
        """Refuses a pool that would give something else were it to pad the map by itself."""
        ops = {op.name: op for op in self._ops()}
        op = ops.get(around.source)
        positive = isinstance(op, Activation) and op.function in _POSITIVE
        if mode == "max" and not (around.value == -inf or (around.value == 0 and positive)):
            raise NetworkError(f"{where} takes the maximum over a map padded by {around.value:g}; pad in it")
        if mode == "average" and (around.value != 0 or any(window.ends(around.shape[1], where))):
            raise NetworkError(f"{where} averages over a map padded twice; pad it once, with zeros")

    def _square_padding(self, x: str, window: Window, where: str) -> Padding:
        """The padding of windows that make a square map, with what is around the map already."""
        kernel, stride, dilation = window.square(where)
        around = self._padded[x].padding if x in self._padded else (0, 0, 0, 0)
        size = self.shape(x)[1] if x in self._padded else self.shape(self._image(x, where))[1]
        ends = window.ends(size, where)
        size -= around[0] + around[2]
        top, left, bottom, right = (a + b for a, b in zip(ends, around, strict=True))
        reach = reach_of(kernel, dilation)
        rows, _ = fitted(size, reach, stride, top, bottom)
        columns, _ = fitted(size, reach, stride, left, right)
        if rows < 1:
            raise NetworkError(f"{where} reads windows of {reach} on a map of {size}; give a larger image")
        if rows != columns or top != left:
            raise NetworkError(
                f"{where} has the padding {top} x {left} x {bottom} x {right}; make it the same on both axes"
            )
        return top, left, bottom, right

    def _ops(self) -> tuple[Operation, ...]:
        return self._builder.graph().ops

    def _plain(self, x: str, where: str) -> str:
        if x in self._padded:
            raise NetworkError(f"{where} reads a padded map; only convolutions and pools can")
        return x

    def _image(self, x: str, where: str) -> str:
        if len(self.shape(self._plain(x, where))) != 3:
            raise NetworkError(f"{where} reads features of a linear layer; it must read channels of a map")
        return x

    def _depths(self, branches: Sequence[str]) -> list[int]:
        """Convolutions on the longest way to each branch from the last tensor that all come from."""
        found = [self._convolutions_before(x) for x in branches]
        order = [INPUT, *(op.name for op in self._ops())]
        fork = next(name for name in reversed(order) if all(name in depths for depths in found))
        return [depths[fork] for depths in found]

    def _convolutions_before(self, tensor: str) -> dict[str, int]:
        """For every tensor that `tensor` comes from, the convolutions on the longest way; gates left out."""
        found = {tensor: 0}
        for op in reversed(self._ops()):
            if op.name not in found:
                continue
            depth = found[op.name] + isinstance(op, Conv)
            for name in op.inputs[:1] if isinstance(op, Multiply) else op.inputs:
                found[name] = max(found.get(name, 0), depth)
        return found


def convolutions_without_norm(graph: Graph) -> tuple[str, ...]:
    """The trunk's convolutions before pooling after which no batch norm comes before the next one.

    Exporters fold batch norm into the convolution, and then there is none left to see.
    """
    showing: dict[str, set[str]] = {}  # tensor -> the convolutions whose output it is, but for a norm
    bare: dict[str, None] = {}
    for op in graph.trunk().ops:
        if isinstance(op, GlobalAveragePool):
            break
        showing[op.name] = {name for x in op.inputs for name in showing.get(x, ())}
        if isinstance(op, BatchNorm):
            for name in showing[op.name]:
                bare.pop(name, None)
            showing[op.name] = set()
        elif isinstance(op, Conv):
            showing[op.name] = {op.name}
            bare[op.name] = None
    return tuple(bare)


def require_batch_norm(graph: Graph, name: str) -> None:
    """Raises NetworkError where the Zen-Score of the network called `name` would miss batch norms."""
    bare = len(convolutions_without_norm(graph))
    if bare:
        total = sum(isinstance(op, Conv) for op in graph.trunk().ops)
        raise NetworkError(
            f"{name} has no Zen-Score: {bare} of its {total} convolutions have no batch norm after them "
            "(exporters fold it in); export it with batch norm kept, or take the proxy phi, which needs none"
        )
