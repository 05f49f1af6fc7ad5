"""GraphBuilder: appends operations to a graph, which follow from the tensors that they read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from .graph import (
    EPSILON,
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
    PoolMode,
    Priced,
    Shape,
    Slice,
    Unflatten,
)
from .windows import Padding, fitted, reach_of, usual_ends


@dataclass
class GraphBuilder:
    """Appends operations and keeps their shapes; every method returns the tensor it made."""

    input_shape: Shape
    scope: str = ""
    _ops: list[Operation] = field(default_factory=list)
    _shapes: dict[str, Shape] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._shapes[INPUT] = self.input_shape

    def shape(self, tensor: str) -> Shape:
        return self._shapes[tensor]

    def conv(
        self,
        x: str,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        bias: bool = False,
        padding: Padding | None = None,
        dilation: int = 1,
    ) -> str:
        """With the usual padding unless told: the output then has ceil(size / stride) rows."""
        channels = self._shapes[x][0]
        padding, size = self._fitted(x, reach_of(kernel, dilation), stride, padding)
        name, shape = self._name("conv"), (out_channels, *size)
        return self._append(
            Conv(name, (x,), shape, channels, kernel, stride, groups, bias, padding, dilation)
        )

    def batch_norm(self, x: str, epsilon: float = EPSILON) -> str:
        return self._append(BatchNorm(self._name("bn"), (x,), self._shapes[x], epsilon))

    def layer_norm(self, x: str, epsilon: float = EPSILON) -> str:
        return self._append(LayerNorm(self._name("ln"), (x,), self._shapes[x], epsilon))

    def group_norm(self, x: str, groups: int, epsilon: float = EPSILON) -> str:
        return self._append(GroupNorm(self._name("gn"), (x,), self._shapes[x], groups, epsilon))

    def activation(self, x: str, function: Function, slope: float = 0.0) -> str:
        name = self._name(function.replace("-", "_"))
        return self._append(Activation(name, (x,), self._shapes[x], function, slope))

    def add(self, trunk: str, shortcut: str) -> str:
        """The residual sum."""
        return self._append(Add(self._name("add"), (trunk, shortcut), self._shapes[trunk]))

    def sum(self, branches: Sequence[str]) -> str:
        """The sum of branches that count alike; a single one is its own sum."""
        if len(branches) == 1:
            return branches[0]
        return self._append(
            Add(self._name("sum"), tuple(branches), self._shapes[branches[0]], residual=False)
        )

    def multiply(self, trunk: str, gate: str) -> str:
        return self._append(Multiply(self._name("mul"), (trunk, gate), self._shapes[trunk]))

    def channel_scale(self, x: str, is_single: bool = False) -> str:
        return self._append(ChannelScale(self._name("scale"), (x,), self._shapes[x], is_single))

    def channel_shift(self, x: str, is_single: bool = False) -> str:
        return self._append(ChannelShift(self._name("shift"), (x,), self._shapes[x], is_single))

    def affine(self, x: str, factor: float = 1.0, offset: float = 0.0) -> str:
        return self._append(Affine(self._name("affine"), (x,), self._shapes[x], factor, offset))

    def concat(self, parts: Sequence[str]) -> str:
        channels = sum(self._shapes[part][0] for part in parts)
        shape = (channels, *self._shapes[parts[0]][1:])
        return self._append(Concat(self._name("concat"), tuple(parts), shape))

    def slice(self, x: str, start: int, channels: int) -> str:
        return self._append(Slice(self._name("slice"), (x,), (channels, *self._shapes[x][1:]), start))

    def channel_shuffle(self, x: str, groups: int) -> str:
        return self._append(ChannelShuffle(self._name("shuffle"), (x,), self._shapes[x], groups))

    def group_softmax(self, x: str, groups: int) -> str:
        return self._append(GroupSoftmax(self._name("softmax"), (x,), self._shapes[x], groups))

    def pool(
        self,
        x: str,
        mode: PoolMode,
        kernel: int,
        stride: int,
        padding: Padding | None = None,
        counts_padding: bool = False,
    ) -> str:
        """With the usual padding unless told: a window that leaves the map at its end is cut there."""
        padding, size = self._fitted(x, kernel, stride, padding)
        name, shape = self._name(f"{mode}_pool"), (self._shapes[x][0], *size)
        counts_padding = counts_padding and any(padding)
        return self._append(Pool(name, (x,), shape, mode, kernel, stride, padding, counts_padding))

    def global_average_pool(self, x: str) -> str:
        return self._append(GlobalAveragePool(self._name("pool"), (x,), (self._shapes[x][0], 1, 1)))

    def linear(self, x: str, out_features: int, bias: bool = True) -> str:
        in_features = prod(self._shapes[x])
        return self._append(Linear(self._name("linear"), (x,), (out_features,), in_features, bias))

    def unflatten(self, x: str) -> str:
        return self._append(Unflatten(self._name("unflat"), (x,), (*self._shapes[x], 1, 1)))

    def priced(
        self, kind: str, inputs: Sequence[str], shape: Shape, macs: int, params: int, is_view: bool
    ) -> str:
        return self._append(Priced(self._name(kind), tuple(inputs), shape, kind, macs, params, is_view))

    def graph(self) -> Graph:
        return Graph(self.input_shape, tuple(self._ops))

    def _fitted(
        self, x: str, reach: int, stride: int, padding: Padding | None
    ) -> tuple[Padding, tuple[int, int]]:
        """The padding of windows, without what none of them reaches, and the size of what they give."""
        _, *size = self._shapes[x]
        if padding is None:
            (top, bottom), (left, right) = (usual_ends(extent, reach, stride) for extent in size)
        else:
            top, left, bottom, right = padding
        rows, bottom = fitted(size[0], reach, stride, top, bottom)
        columns, right = fitted(size[1], reach, stride, left, right)
        return (top, left, bottom, right), (rows, columns)

    def _name(self, stem: str) -> str:
        base = f"{self.scope}{stem}"
        number = self._counts.get(base, 0) + 1
        self._counts[base] = number
        return f"{base}{number}"

    def _append(self, op: Operation) -> str:
        self._ops.append(op)
        self._shapes[op.name] = op.shape
        return op.name
