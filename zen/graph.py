"""Primitive operations and the graph they form: the one form that every reader starts from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from ..errors import NetworkError
from .windows import Padding

Shape = tuple[int, ...]
"""Channels, height, width of one image (no batch); features alone after a linear layer."""

Function = Literal[
    "relu",
    "relu6",
    "leaky-relu",
    "elu",
    "swish",
    "hard-swish",
    "mish",
    "gelu",
    "gelu-tanh",
    "sigmoid",
    "hard-sigmoid",
    "tanh",
]
"""`gelu-tanh` is its approximation by a tanh."""
PlainFunction = Literal["relu", "relu6", "swish", "hard-swish", "sigmoid", "hard-sigmoid"]
"""Those of known networks, which a structure names without a number."""
PoolMode = Literal["max", "average"]


EPSILON = 1e-5
"""What a normalisation adds to the variance before it takes the root, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Op:
    """One operation; its `name` also names the tensor that it writes, of shape `shape`."""

    name: str
    inputs: tuple[str, ...]
    shape: Shape


@dataclass(frozen=True, slots=True)
class Conv(Op):
    """2-D convolution with a square kernel and zeros around the map."""

    in_channels: int
    kernel: int
    stride: int
    groups: int
    bias: bool
    padding: Padding
    dilation: int = 1

    @property
    def out_channels(self) -> int:
        return self.shape[0]

    @property
    def is_usual(self) -> bool:
        """An odd kernel without dilation, with a padding of (kernel - 1) / 2 on every side."""
        return self.kernel % 2 == 1 and self.dilation == 1 and self.padding == ((self.kernel - 1) // 2,) * 4


@dataclass(frozen=True, slots=True)
class BatchNorm(Op):
    """Batch normalisation over channels with a learned scale and shift."""

    epsilon: float = EPSILON


@dataclass(frozen=True, slots=True)
class LayerNorm(Op):
    """Normalisation over the channels of each place apart, with a learned scale and shift."""

    epsilon: float = EPSILON


@dataclass(frozen=True, slots=True)
class GroupNorm(Op):
    """Normalisation over `groups` equal parts of the channels, each with all its places, with a learned scale
    and shift a channel."""

    groups: int
    epsilon: float = EPSILON


@dataclass(frozen=True, slots=True)
class Activation(Op):
    """Element-wise non-linearity; `slope`: of a leaky ReLU, for what is below nought."""

    function: Function
    slope: float = 0.0


@dataclass(frozen=True, slots=True)
class Add(Op):
    """Element-wise sum. Where `residual`, the first input is the trunk and the others are shortcuts,
    which the scores leave out; else all inputs are branches that count alike."""

    residual: bool = True


@dataclass(frozen=True, slots=True)
class Multiply(Op):
    """Element-wise product; its first input is the trunk, its second a gate: one value a channel (C, 1, 1),
    one a place (1, H, W), or one for each."""


@dataclass(frozen=True, slots=True)
class ChannelScale(Op):
    """Product with learned constants, one a channel or, where `is_single`, one for all (layer scale)."""

    is_single: bool = False


@dataclass(frozen=True, slots=True)
class ChannelShift(Op):
    """Sum with learned constants, one a channel or, where `is_single`, one for all."""

    is_single: bool = False


@dataclass(frozen=True, slots=True)
class Affine(Op):
    """x * factor + offset, by numbers that nobody learns."""

    factor: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Concat(Op):
    """Its inputs one after the other along the channels."""


@dataclass(frozen=True, slots=True)
class Slice(Op):
    """The channels `start` to `start` + C of its input."""

    start: int


@dataclass(frozen=True, slots=True)
class GroupSoftmax(Op):
    """Softmax across `groups` equal parts of the channels, for each place in a part apart; with as many
    groups as channels it is the usual softmax."""

    groups: int


@dataclass(frozen=True, slots=True)
class ChannelShuffle(Op):
    """The channels of `groups` equal parts in turn: the first of each, then the second of each ...

    ShuffleNet (arXiv 1707.01083), section 3.1.
    """

    groups: int


@dataclass(frozen=True, slots=True)
class Pool(Op):
    """Maximum or average over square windows. The padding counts in neither, unless `counts_padding`, where
    an average counts it as zeros."""

    mode: PoolMode
    kernel: int
    stride: int
    padding: Padding
    counts_padding: bool = False


@dataclass(frozen=True, slots=True)
class GlobalAveragePool(Op):
    """Mean over height and width, kept as (C, 1, 1)."""


@dataclass(frozen=True, slots=True)
class Linear(Op):
    """Fully connected layer over the flattened input."""

    in_features: int
    bias: bool = True

    @property
    def out_features(self) -> int:
        return self.shape[0]


@dataclass(frozen=True, slots=True)
class Unflatten(Op):
    """Features (C,) as a map of one place (C, 1, 1)."""


@dataclass(frozen=True, slots=True)
class Priced(Op):
    """An operation of another library that is not read: what it costs and gives is known, not what it
    computes.

    `kind` is its name there, `macs` and `params` are what its shapes and weights say, for one image. Its
    shape is of any rank. `is_view`: it hands its input on in another shape.
    """

    kind: str
    macs: int = 0
    params: int = 0
    is_view: bool = False

    def refusal(self) -> NetworkError:
        """What a reader raises that has to know what the operation computes."""
        return NetworkError(
            f"'{self.name}', a {self.kind}, has a price only; express it by what docs/reading.md lists"
        )


Operation: TypeAlias = (
    Conv
    | BatchNorm
    | LayerNorm
    | GroupNorm
    | Activation
    | Add
    | Multiply
    | ChannelScale
    | ChannelShift
    | Affine
    | Concat
    | Slice
    | ChannelShuffle
    | GroupSoftmax
    | Pool
    | GlobalAveragePool
    | Linear
    | Unflatten
    | Priced
)
"""Every operation that there is. A reader matches them all and ends in `assert_never`, so that the type
checker finds the one it forgot."""

INPUT = "input"


@dataclass(frozen=True)
class Graph:
    """Operations in topological order, from the tensor `input` to the tensor `output`."""

    input_shape: Shape
    ops: tuple[Operation, ...]

    @property
    def output(self) -> str:
        return self.ops[-1].name

    @property
    def output_shape(self) -> Shape:
        return self.ops[-1].shape

    @property
    def priced(self) -> tuple[Priced, ...]:
        """The operations that are not read."""
        return tuple(op for op in self.ops if isinstance(op, Priced))

    def shape_of(self, tensor: str) -> Shape:
        if tensor == INPUT:
            return self.input_shape
        return next(op.shape for op in self.ops if op.name == tensor)

    def trunk(self) -> Graph:
        """What the scores see: residual sums and gates give way to their trunk, dead operations go."""
        alias: dict[str, str] = {}
        kept: list[Operation] = []
        for op in self.ops:
            inputs = tuple(alias.get(name, name) for name in op.inputs)
            if isinstance(op, Multiply) or (isinstance(op, Add) and op.residual):
                alias[op.name] = inputs[0]
            else:
                kept.append(op if inputs == op.inputs else replace(op, inputs=inputs))
        return Graph(self.input_shape, tuple(_reaching(kept)))


def _reaching(ops: list[Operation]) -> Iterable[Operation]:
    needed = {ops[-1].name}
    live: list[Operation] = []
    for op in reversed(ops):
        if op.name in needed:
            needed.update(op.inputs)
            live.append(op)
    return reversed(live)
