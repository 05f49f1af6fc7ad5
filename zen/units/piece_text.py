"""Operations as words of a piece's text, and back."""

from __future__ import annotations

import re
from math import isfinite
from typing import Any, get_args

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
    Slice,
    Unflatten,
)
from ..graph_builder import GraphBuilder

_LARGEST_EDGE = 65_536
_MOST_CHANNELS = 10**9
_MOST_MACS = 10**18


def spelled(op: Operation) -> tuple[str, str]:
    """The word for an operation, and what it takes beside its inputs."""
    word, values = _word_and_values(op)
    return word, "/".join(map(_written, values))


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return ".".join(map(str, value))
    return str(int(value)) if isinstance(value, bool) else str(value)


def _word_and_values(op: Operation) -> tuple[str, tuple[Any, ...]]:
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


def made(builder: GraphBuilder, word: str, inputs: list[str], values: list[str]) -> str:
    """The operation of a word, appended; NetworkError for numbers that make no sense, and for what is no word
    whatever its reading raises."""
    x = inputs[0]
    match word, values:
        case "conv", [out, kernel, stride, groups, bias, padding, dilation]:
            edges, channels = (_edge(kernel), _edge(stride)), whole(out)
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
            return builder.slice(x, whole(start, 0), whole(channels))
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
            return builder.linear(x, whole(out), _flag(bias))
        case "unflat", []:
            return builder.unflatten(x)
        case "priced", [kind, macs, params, shape, is_view]:
            extents = tuple(map(whole, shape.split("."))) if shape else ()
            cost = whole(macs, 0, _MOST_MACS), whole(params, 0, _MOST_MACS)
            return builder.priced(kind, inputs, extents, *cost, _flag(is_view))
    raise ValueError(word)


def whole(text: str, least: int = 1, most: int = _MOST_CHANNELS) -> int:
    found = int(text)
    if not least <= found <= most:
        raise NetworkError(f"a piece holds the number {text[:20]} where {least:,} to {most:,} can be")
    return found


def _edge(text: str) -> int:
    """Of a window."""
    return whole(text, most=_LARGEST_EDGE)


def _groups(text: str, *channels: int) -> int:
    groups = whole(text)
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
    top, left, bottom, right = (whole(one, 0, _LARGEST_EDGE) for one in text.split("."))
    return top, left, bottom, right


_FUNCTIONS: dict[str, Function] = {name: name for name in get_args(Function)}
_MODES: dict[str, PoolMode] = {name: name for name in get_args(PoolMode)}
