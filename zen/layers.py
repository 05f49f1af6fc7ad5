"""Operation -> torch layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from typing_extensions import assert_never

from .graph import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv,
    Function,
    GlobalAveragePool,
    GroupSoftmax,
    Linear,
    Multiply,
    Operation,
    Pool,
    Slice,
)

EPSILON = nn.BatchNorm2d(1).eps
"""What batch norm adds to a variance before it takes the root."""


def make_layer(op: Operation) -> nn.Module:
    """The torch layer of one operation."""
    match op:
        case Conv():
            channels = op.in_channels, op.out_channels
            return nn.Conv2d(*channels, op.kernel, op.stride, op.padding, groups=op.groups, bias=op.bias)
        case BatchNorm():
            return nn.BatchNorm2d(op.shape[0])
        case Activation():
            return _FUNCTIONS[op.function]()
        case Add():
            return _Sum()
        case Multiply():
            return _Product()
        case Concat():
            return _Concat()
        case Slice():
            return _Slice(op)
        case GroupSoftmax():
            return _GroupSoftmax(op)
        case Pool():
            return _pool(op)
        case GlobalAveragePool():
            return nn.AdaptiveAvgPool2d(1)
        case Linear():
            return _FlatLinear(op.in_features, op.out_features)
        case _:
            assert_never(op)


_FUNCTIONS: dict[Function, type[nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "swish": nn.SiLU,
    "hard-swish": nn.Hardswish,
    "sigmoid": nn.Sigmoid,
    "hard-sigmoid": nn.Hardsigmoid,
}


class _Sum(nn.Module):
    def forward(self, x: Tensor, *others: Tensor) -> Tensor:
        for other in others:
            x = x + other
        return x


class _Product(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x * y


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
        self.groups = op.groups

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], self.groups, -1, *x.shape[2:]).softmax(dim=1).flatten(1, 2)


def _pool(op: Pool) -> nn.Module:
    if op.mode == "max":
        return nn.MaxPool2d(op.kernel, op.stride, op.padding, ceil_mode=op.padding == 0)
    return nn.AvgPool2d(op.kernel, op.stride, op.padding, ceil_mode=op.padding == 0, count_include_pad=False)


class _FlatLinear(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name is torch's
        return super().forward(input.flatten(1))
