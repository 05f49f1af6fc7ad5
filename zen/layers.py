"""Operation -> torch layer."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import assert_never

from .graph import (
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
    Priced,
    Shape,
    Slice,
    Unflatten,
)
from .windows import Padding


def make_layer(op: Operation) -> nn.Module:
    """The torch layer of one operation."""
    match op:
        case Conv():
            return _conv(op)
        case BatchNorm():
            return nn.BatchNorm2d(op.shape[0], op.epsilon)
        case LayerNorm():
            kind = _ChannelNorm if len(op.shape) == 3 else nn.LayerNorm
            return kind(op.shape[0], op.epsilon)
        case GroupNorm():
            return nn.GroupNorm(op.groups, op.shape[0], op.epsilon)
        case Activation():
            return _FUNCTIONS[op.function]() if op.function != "leaky-relu" else nn.LeakyReLU(op.slope)
        case Add():
            return _Sum()
        case Multiply():
            return _Product()
        case ChannelScale():
            return ChannelFactors(op)
        case ChannelShift():
            return _ChannelTerms(op)
        case Affine():
            return _Affine(op)
        case Concat():
            return _Concat()
        case Slice():
            return _Slice(op)
        case ChannelShuffle():
            return nn.ChannelShuffle(op.groups)
        case GroupSoftmax():
            return _GroupSoftmax(op) if op.groups != op.shape[0] else nn.Softmax(dim=1)
        case Pool():
            return _pool(op)
        case GlobalAveragePool():
            return nn.AdaptiveAvgPool2d(1)
        case Linear():
            return _FlatLinear(op.in_features, op.out_features, op.bias)
        case Unflatten():
            return nn.Unflatten(1, (op.shape[0], 1, 1))
        case Priced():
            raise op.refusal()
        case _:
            assert_never(op)


_FUNCTIONS: dict[Function, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "elu": nn.ELU,
    "swish": nn.SiLU,
    "hard-swish": nn.Hardswish,
    "mish": nn.Mish,
    "gelu": nn.GELU,
    "gelu-tanh": lambda: nn.GELU("tanh"),
    "sigmoid": nn.Sigmoid,
    "hard-sigmoid": nn.Hardsigmoid,
    "tanh": nn.Tanh,
}


class _Sum(nn.Module):
    def forward(self, x: Tensor, *others: Tensor) -> Tensor:
        for other in others:
            x = x + other
        return x


class _Product(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x * y


class _ChannelNorm(nn.LayerNorm):
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name is torch's
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ChannelFactors(nn.Module):
    """The layer of a ChannelScale; its `weight` is of shape (C, 1, 1), of features (C,)."""

    def __init__(self, op: ChannelScale) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(_constants_shape(op)))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


class _ChannelTerms(nn.Module):
    def __init__(self, op: ChannelShift) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(_constants_shape(op)))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias


def _constants_shape(op: ChannelScale | ChannelShift) -> Shape:
    return (1 if op.is_single else op.shape[0], *(1 for _ in op.shape[1:]))


class _Affine(nn.Module):
    def __init__(self, op: Affine) -> None:
        super().__init__()
        self.factor, self.offset = op.factor, op.offset

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor + self.offset


class _Concat(nn.Module):
    def forward(self, *parts: Tensor) -> Tensor:
        return torch.cat(parts, dim=1)


class _Slice(nn.Module):
    def __init__(self, op: Slice) -> None:
        super().__init__()
        self.start, self.channels = op.start, op.shape[0]

    def forward(self, x: Tensor) -> Tensor:
        return x.narrow(1, self.start, self.channels)


class _GroupSoftmax(nn.Module):
    def __init__(self, op: GroupSoftmax) -> None:
        super().__init__()
        self.parts = op.groups, op.shape[0] // op.groups

    def forward(self, x: Tensor) -> Tensor:
        return torch.unflatten(x, 1, self.parts).softmax(dim=1).flatten(1, 2)


def padded(x: Tensor, padding: Padding, value: float = 0.0) -> Tensor:
    """Maps with so many rows and columns of a value around them."""
    top, left, bottom, right = padding
    return functional.pad(x, (left, right, top, bottom), value=value)


def _conv(op: Conv) -> nn.Module:
    how: dict[str, Any] = {"stride": op.stride, "dilation": op.dilation, "groups": op.groups, "bias": op.bias}
    top, left, bottom, right = op.padding
    if (top, left) == (bottom, right):
        return nn.Conv2d(op.in_channels, op.out_channels, op.kernel, padding=(top, left), **how)
    return _PaddedConv(op, **how)


class _PaddedConv(nn.Conv2d):
    def __init__(self, op: Conv, **how: Any) -> None:
        super().__init__(op.in_channels, op.out_channels, op.kernel, **how)
        self.ends = op.padding

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name is torch's
        return super().forward(padded(input, self.ends))


def _pool(op: Pool) -> nn.Module:
    top, left, bottom, right = op.padding
    # Where the last window is cut, and the padding behind is what it reaches, torch does the same by itself.
    is_cut = bottom != top and 0 < bottom - top < op.stride and bottom - top == right - left
    if top > op.kernel // 2 or left > op.kernel // 2 or not (is_cut or (top, left) == (bottom, right)):
        return _PaddedPool(op)
    how: dict[str, Any] = {"stride": op.stride, "padding": (top, left), "ceil_mode": is_cut}
    if op.mode == "max":
        return nn.MaxPool2d(op.kernel, **how)
    return nn.AvgPool2d(op.kernel, **how, count_include_pad=op.counts_padding)


class _PaddedPool(nn.Module):
    def __init__(self, op: Pool) -> None:
        super().__init__()
        self.op = op

    def forward(self, x: Tensor) -> Tensor:
        op = self.op
        if op.mode == "max":
            return functional.max_pool2d(padded(x, op.padding, -inf), op.kernel, op.stride)
        mean = functional.avg_pool2d(padded(x, op.padding), op.kernel, op.stride)
        if op.counts_padding:
            return mean
        inside = padded(torch.ones_like(x[:1, :1]), op.padding)
        return mean / functional.avg_pool2d(inside, op.kernel, op.stride)


class _FlatLinear(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name is torch's
        return super().forward(input.flatten(1))
