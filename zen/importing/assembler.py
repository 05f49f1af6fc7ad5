"""Assembling a graph from another library's operations, and refusing what ours cannot express."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

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

_GATED: dict[Function, Function] = {"sigmoid": "swish", "hard-sigmoid": "hard-swish"}
"""What x f(x) is called, by f."""


@dataclass(frozen=True, slots=True)
class Window:
    """What a convolution or pool says about its window: one number an axis, or one for both.

    `padding` is height then width, or the four ends (top, left, bottom, right).
    """

    kernel: Sequence[int] | int
    stride: Sequence[int] | int
    padding: Sequence[int] | int
    dilation: Sequence[int] | int = 1

    def square(self, where: str) -> tuple[int, int, int]:
        """Kernel, stride and padding where they are one number each; NetworkError, naming `where`, else."""
        found = []
        for name in ("kernel", "stride", "padding", "dilation"):
            value = getattr(self, name)
            values = {value} if isinstance(value, int) else set(value)
            if len(values) != 1:
                listed = " x ".join(map(str, value))
                raise NetworkError(f"{where} has the {name} {listed}; make it the same on every side")
            found.append(values.pop())
        kernel, stride, padding, dilation = found
        if dilation != 1:
            raise NetworkError(f"{where} has the dilation {dilation}; only dilation 1 can be read")
        return kernel, stride, padding


@dataclass
class Assembler:
    """Appends operations of another library to a graph.

    Tensors are ours; `where` names an operation as its library does, for the one sentence of the
    NetworkError that every method raises for what cannot be expressed.
    """

    input_shape: Shape
    _builder: GraphBuilder = field(init=False)

    def __post_init__(self) -> None:
        if len(self.input_shape) != 3 or self.input_shape[1] != self.input_shape[2]:
            shape = " x ".join(map(str, self.input_shape))
            raise NetworkError(f"the input is {shape}; it must be channels x height x width, and square")
        self._builder = GraphBuilder(self.input_shape)

    def shape(self, x: str) -> Shape:
        return self._builder.shape(x)

    def conv(self, x: str, out_channels: int, window: Window, groups: int, bias: bool, where: str) -> str:
        kernel, stride, padding = window.square(where)
        in_channels = self.shape(self._image(x, where))[0]
        if stride < 1 or groups < 1 or out_channels < 1 or in_channels % groups or out_channels % groups:
            raise NetworkError(
                f"{where} makes {out_channels} channels of {in_channels} in {groups} groups at "
                f"stride {stride}; no runtime can, export it again"
            )
        if kernel % 2 == 0 or padding != (kernel - 1) // 2:
            raise NetworkError(
                f"{where} has kernel {kernel} and padding {padding}; "
                "make the kernel odd and the padding (kernel - 1) / 2"
            )
        return self._builder.conv(self._image(x, where), out_channels, kernel, stride, groups, bias)

    def batch_norm(self, x: str, where: str) -> str:
        return self._builder.batch_norm(self._image(x, where))

    def activation(self, x: str, function: Function) -> str:
        return self._builder.activation(x, function)

    def add(self, branches: Sequence[str], where: str) -> str:
        """A residual sum where, behind what all branches come from, some hold more convolutions.

        Those with the most are the trunk, the others shortcuts; else all count alike.
        """
        if len({self.shape(x) for x in branches}) > 1:
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
        if len({self.shape(x)[1:] for x in parts}) > 1:
            raise NetworkError(f"{where} joins tensors of different sizes; give them the same")
        return self._builder.concat(parts)

    def pool(
        self, x: str, mode: PoolMode, window: Window, where: str, rounds_up: bool, counts_padding: bool
    ) -> str:
        """`rounds_up`: a window cut by the image's end is kept; `counts_padding`: as zeros in an average."""
        size = self.shape(self._image(x, where))[1]
        kernel, stride, padding = window.square(where)
        if mode == "average" and kernel == size and padding == 0:
            return self._builder.global_average_pool(x)
        steps = (size + 2 * padding - kernel) / stride
        out_size = 1 + (ceil(steps) if rounds_up else int(steps))
        if rounds_up and (out_size - 1) * stride >= size + padding:
            out_size -= 1  # a window must begin inside the image
        if padding != (kernel - 1) // 2 or out_size != (size - 1) // stride + 1:
            raise NetworkError(
                f"{where} has kernel {kernel}, stride {stride} and padding {padding} on a map of {size}; "
                "make the padding (kernel - 1) / 2 and let the last window be cut (ceil_mode)"
            )
        if mode == "average" and padding and counts_padding:
            raise NetworkError(f"{where} averages over its padding too; set count_include_pad to false")
        return self._builder.pool(x, mode, kernel, stride)

    def global_average_pool(self, x: str, where: str) -> str:
        return self._builder.global_average_pool(self._image(x, where))

    def linear(self, x: str, out_features: int, bias: bool, where: str) -> str:
        if not bias:
            raise NetworkError(f"{where} is a linear layer without bias; give it one")
        return self._builder.linear(x, out_features)

    def graph(self, output: str) -> Graph:
        """The graph up to `output`, without what does not reach it."""
        needed = {output}
        kept: list[Operation] = []
        for op in reversed(self._ops()):
            if op.name in needed:
                needed.update(op.inputs)
                kept.append(op)
        if not kept:
            raise NetworkError("the network hands its input on as it is; there is nothing to read")
        return Graph(self.input_shape, tuple(reversed(kept)))

    def _ops(self) -> tuple[Operation, ...]:
        return self._builder.graph().ops

    def _image(self, x: str, where: str) -> str:
        if len(self.shape(x)) != 3:
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
