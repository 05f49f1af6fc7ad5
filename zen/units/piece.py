"""A piece of a network from elsewhere: its operations spelled out, so that a table can hold its latency."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, ClassVar, get_args

from typing_extensions import assert_never

from ...errors import NetworkError
from ..graph import (
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
    PoolMode,
    Priced,
    Shape,
    Slice,
    Unflatten,
)
from ..graph_builder import GraphBuilder
from .base import Unit

_MOST_OPS = 4096


@dataclass(frozen=True, slots=True)
class PieceUnit(Unit):
    """Operations from one tensor to one tensor, spelled out in `ops`.

    One `word:inputs:values` an operation, with `;` between. Inputs are numbers with `+` between, 0 for the
    piece's own input and n for its n-th operation; without any it reads the operation before. Values have `/`
    between. `layers`: convolutions and linear layers. Epsilons are left out: no latency depends on them.
    """

    kind: ClassVar[str] = "piece"
    in_channels: int
    out_channels: int
    ops: str

    @staticmethod
    def of(ops: Sequence[Operation], tensor: str, in_channels: int) -> PieceUnit:
        """The piece of these operations, which read `tensor` and one another."""
        places = {tensor: 0}
        words = []
        for place, op in enumerate(ops, 1):
            inputs = [places[name] for name in op.inputs]
            read = "" if inputs == [place - 1] else "+".join(map(str, inputs))
            word, values = _spelled(op)
            words.append(f"{word}:{read}:{'/'.join(map(_written, values))}")
            places[op.name] = place
        return PieceUnit(in_channels, _channels(ops[-1].shape), ";".join(words))

    def output_size(self, size: int) -> int:
        builder = GraphBuilder((self.in_channels, size, size))
        shape = builder.shape(self.lower(builder, "input"))
        return shape[-1] if len(shape) == 3 else 1

    @property
    def layers(self) -> int:
        return sum(word in ("conv", "linear") for word, _, _ in self._parsed())

    @property
    def label(self) -> str:
        parts = self._parsed()
        told = Counter(named for word, _, values in parts if (named := _named(word, values)))
        texts = [f"{count} {named}" if count > 1 else named for named, count in told.items()]
        return f"{' + '.join(texts) or parts[0][0]}, {self.in_channels}>{self.out_channels}"

    def lower(self, builder: GraphBuilder, x: str) -> str:
        tensors = [x]
        for word, inputs, values in self._parsed():
            made = _make(builder, word, [tensors[place] for place in inputs], values)
            if min(builder.shape(made), default=1) < 1:
                raise NetworkError(f"{self.label}: its windows do not fit a map of {builder.shape(x)[-1]}")
            tensors.append(made)
        return tensors[-1]

    def check(self, size: int | None = None) -> None:
        super(PieceUnit, self).check(size)  # slots make a second class of it, which a bare super() misses
        if (count := self.ops.count(";") + 1) > _MOST_OPS:
            raise NetworkError(
                f"'{self.ops[:60]}' has {count:,} operations; tables hold no more than {_MOST_OPS:,}"
            )
        builder = GraphBuilder((self.in_channels, size or _ANY_SIZE, size or _ANY_SIZE))
        try:
            made = builder.shape(self.lower(builder, "input"))
        except (ValueError, IndexError, KeyError, TypeError, ZeroDivisionError):
            raise NetworkError(f"'{self.ops[:60]}' spells no operations") from None
        if _channels(made) != self.out_channels:
            raise NetworkError(f"'{self.ops[:60]}' makes {_channels(made)} channels, not {self.out_channels}")

    def _parsed(self) -> list[tuple[str, list[int], list[str]]]:
        found = []
        for place, text in enumerate(self.ops.split(";")):
            word, read, values = text.split(":")
            inputs = [_whole(one, 0, place) for one in read.split("+")] if read else [place]
            found.append((word, inputs, values.split("/") if values else []))
        return found


_ANY_SIZE = 64
"""Of a map on which a text is checked that has none."""
_LARGEST_EDGE = 65_536
_MOST_CHANNELS = 10**9
_MOST_MACS = 10**18


def _named(word: str, values: Sequence[str]) -> str | None:
    """What people call an operation that tells a piece from others; None of the rest."""
    if word == "conv":
        out_channels, kernel, stride, groups = values[:4]
        kind = "conv" if groups == "1" else "depthwise" if groups == out_channels else "grouped conv"
        return f"{kind} {kernel}x{kernel}{'' if stride == '1' else f' /{stride}'}"
    return word if word in ("pool", "linear") else None


def _channels(shape: Shape) -> int:
    return shape[0] if shape else 1


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return ".".join(map(str, value))
    return str(int(value)) if isinstance(value, bool) else str(value)


def _spelled(op: Operation) -> tuple[str, tuple[Any, ...]]:
    """The word for an operation and what it takes beside its inputs."""
    match op:
        case Conv():
            window = op.kernel, op.stride, op.groups
            return "conv", (op.out_channels, *window, op.bias, op.padding, op.dilation)
        case BatchNorm():
            return "bn", ()
        case LayerNorm():
            return "ln", ()
        case GroupNorm():
            return "gn", (op.groups,)
        case Activation():
            return "act", (op.function, op.slope)
        case Add():
            return "add" if op.residual else "sum", ()
        case Multiply():
            return "mul", ()
        case ChannelScale():
            return "scale", (op.is_single,)
        case ChannelShift():
            return "shift", (op.is_single,)
        case Affine():
            return "affine", (op.factor, op.offset)
        case Concat():
            return "concat", ()
        case Slice():
            return "slice", (op.start, op.shape[0])
        case ChannelShuffle():
            return "shuffle", (op.groups,)
        case GroupSoftmax():
            return "softmax", (op.groups,)
        case Pool():
            return "pool", (op.mode, op.kernel, op.stride, op.padding, op.counts_padding)
        case GlobalAveragePool():
            return "gap", ()
        case Linear():
            return "linear", (op.out_features, op.bias)
        case Unflatten():
            return "unflat", ()
        case Priced():
            return "priced", (re.sub(r"\W", "_", op.kind), op.macs, op.params, op.shape, op.is_view)
        case _:
            assert_never(op)


def _make(builder: GraphBuilder, word: str, inputs: list[str], values: list[str]) -> str:
    """The operation of a word. A wrong text raises whatever it does, which `check` makes a sentence of."""
    x = inputs[0]
    match word, values:
        case "conv", [out, kernel, stride, groups, bias, padding, dilation]:
            edges, channels = (_edge(kernel), _edge(stride)), _whole(out)
            shares = _groups(groups, channels, builder.shape(x)[0])
            window = *edges, shares, _flag(bias), _padding(padding), _edge(dilation)
            return builder.conv(x, channels, *window)
        case "bn", []:
            return builder.batch_norm(x)
        case "ln", []:
            return builder.layer_norm(x)
        case "gn", [groups]:
            return builder.group_norm(x, _groups(groups, builder.shape(x)[0]))
        case "act", [function, slope]:
            return builder.activation(x, _FUNCTIONS[function], _number(slope))
        case "add", []:
            trunk, shortcut = inputs
            return builder.add(trunk, shortcut)
        case "sum", []:
            return builder.sum(inputs)
        case "mul", []:
            trunk, gate = inputs
            return builder.multiply(trunk, gate)
        case "scale", [is_single]:
            return builder.channel_scale(x, _flag(is_single))
        case "shift", [is_single]:
            return builder.channel_shift(x, _flag(is_single))
        case "affine", [factor, offset]:
            return builder.affine(x, _number(factor), _number(offset))
        case "concat", []:
            return builder.concat(inputs)
        case "slice", [start, channels]:
            return builder.slice(x, _whole(start, 0), _whole(channels))
        case "shuffle", [groups]:
            return builder.channel_shuffle(x, _groups(groups, builder.shape(x)[0]))
        case "softmax", [groups]:
            return builder.group_softmax(x, _groups(groups, builder.shape(x)[0]))
        case "pool", [mode, kernel, stride, padding, counts]:
            return builder.pool(
                x, _MODES[mode], _edge(kernel), _edge(stride), _padding(padding), _flag(counts)
            )
        case "gap", []:
            return builder.global_average_pool(x)
        case "linear", [out, bias]:
            return builder.linear(x, _whole(out), _flag(bias))
        case "unflat", []:
            return builder.unflatten(x)
        case "priced", [kind, macs, params, shape, is_view]:
            extents = tuple(map(_whole, shape.split("."))) if shape else ()
            cost = _whole(macs, 0, _MOST_MACS), _whole(params, 0, _MOST_MACS)
            return builder.priced(kind, inputs, extents, *cost, _flag(is_view))
    raise ValueError(word)


def _whole(text: str, least: int = 1, most: int = _MOST_CHANNELS) -> int:
    found = int(text)
    if not least <= found <= most:
        raise NetworkError(f"a piece holds the number {text[:20]} where {least:,} to {most:,} can be")
    return found


def _edge(text: str) -> int:
    """Of a window."""
    return _whole(text, most=_LARGEST_EDGE)


def _groups(text: str, *channels: int) -> int:
    groups = _whole(text)
    if any(one % groups for one in channels):
        raise NetworkError(f"a piece has {groups} groups of {' and '.join(map(str, channels))} channels")
    return groups


def _number(text: str) -> float:
    if not isfinite(found := float(text)):
        raise NetworkError(f"a piece holds the number {found}; it must be finite")
    return found


def _flag(text: str) -> bool:
    return {"0": False, "1": True}[text]


def _padding(text: str) -> tuple[int, int, int, int]:
    top, left, bottom, right = (_whole(one, 0, _LARGEST_EDGE) for one in text.split("."))
    return top, left, bottom, right


_FUNCTIONS: dict[str, Function] = {name: name for name in get_args(Function)}
_MODES: dict[str, PoolMode] = {name: name for name in get_args(PoolMode)}
