"""Which of torch's layers, functions and methods is read as what."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from ...errors import NetworkError
from ..graph import Function
from .torch_calls import Found, TorchCalls

Read = Callable[..., Found]


def _activation(function: Function) -> Read:
    return lambda calls, x, *_, **__: calls.assembler.activation(x, function, calls.where)


def _layer_activation(function: Function) -> Read:
    return lambda calls, layer, x: calls.assembler.activation(x, function, calls.where)


def _conv_layer(calls: TorchCalls, layer: nn.Conv2d, x: str) -> str:
    if layer.padding_mode != "zeros":
        raise NetworkError(f"{calls.where} pads with '{layer.padding_mode}'; only zeros can be read")
    padding: Any = layer.padding
    return calls.conv(x, layer.weight, layer.bias, layer.stride, padding, layer.dilation, layer.groups)


LAYERS: dict[type[nn.Module], Read] = {
    nn.Conv2d: _conv_layer,
    nn.BatchNorm2d: lambda calls, layer, x: calls.batch_norm(
        x, layer.running_mean, layer.running_var, layer.weight, layer.bias, eps=layer.eps
    ),
    nn.LayerNorm: lambda calls, layer, x: calls.layer_norm(
        x, layer.normalized_shape, layer.weight, layer.bias, layer.eps
    ),
    nn.GroupNorm: lambda calls, layer, x: calls.group_norm(
        x, layer.num_groups, layer.weight, layer.bias, layer.eps
    ),
    nn.Linear: lambda calls, layer, x: calls.linear(x, layer.weight, layer.bias),
    nn.ReLU: _layer_activation("relu"),
    nn.ReLU6: _layer_activation("relu6"),
    nn.SiLU: _layer_activation("swish"),
    nn.Hardswish: _layer_activation("hard-swish"),
    nn.Sigmoid: _layer_activation("sigmoid"),
    nn.Hardsigmoid: _layer_activation("hard-sigmoid"),
    nn.Mish: _layer_activation("mish"),
    nn.Tanh: _layer_activation("tanh"),
    nn.LeakyReLU: lambda calls, layer, x: calls.leaky_relu(x, layer.negative_slope),
    nn.ELU: lambda calls, layer, x: calls.elu(x, layer.alpha),
    nn.GELU: lambda calls, layer, x: calls.gelu(x, layer.approximate),
    nn.Hardtanh: lambda calls, layer, x: calls.hardtanh(x, layer.min_val, layer.max_val),
    nn.Softmax: lambda calls, layer, x: calls.softmax(x, layer.dim),
    nn.MaxPool2d: lambda calls, layer, x: calls.max_pool(
        x, layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.ceil_mode
    ),
    nn.AvgPool2d: lambda calls, layer, x: calls.average_pool(
        x,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.ceil_mode,
        layer.count_include_pad,
        layer.divisor_override,
    ),
    nn.AdaptiveAvgPool2d: lambda calls, layer, x: calls.adaptive_average_pool(x, layer.output_size),
    nn.AdaptiveMaxPool2d: lambda calls, layer, x: calls.adaptive_max_pool(x, layer.output_size),
    nn.ZeroPad2d: lambda calls, layer, x: calls.pad(x, layer.padding),
    nn.ConstantPad2d: lambda calls, layer, x: calls.pad(x, layer.padding, value=layer.value),
    nn.ChannelShuffle: lambda calls, layer, x: calls.channel_shuffle(x, layer.groups),
    nn.Flatten: lambda calls, layer, x: calls.reshape(x),
    nn.Unflatten: lambda calls, layer, x: calls.reshape(x),
    **dict.fromkeys((nn.Identity, nn.Dropout, nn.Dropout2d), lambda calls, layer, x: x),
}

FUNCTIONS: dict[Any, Read] = {
    **dict.fromkeys((functional.conv2d, torch.conv2d), TorchCalls.conv),
    functional.batch_norm: TorchCalls.batch_norm,
    functional.layer_norm: TorchCalls.layer_norm,
    functional.group_norm: TorchCalls.group_norm,
    functional.linear: TorchCalls.linear,
    **dict.fromkeys((functional.relu, torch.relu, torch.relu_), _activation("relu")),
    functional.relu6: _activation("relu6"),
    functional.silu: _activation("swish"),
    functional.hardswish: _activation("hard-swish"),
    **dict.fromkeys((functional.sigmoid, torch.sigmoid), _activation("sigmoid")),
    functional.hardsigmoid: _activation("hard-sigmoid"),
    functional.mish: _activation("mish"),
    **dict.fromkeys((functional.tanh, torch.tanh), _activation("tanh")),
    functional.leaky_relu: TorchCalls.leaky_relu,
    functional.elu: TorchCalls.elu,
    functional.gelu: TorchCalls.gelu,
    functional.hardtanh: TorchCalls.hardtanh,
    **dict.fromkeys((torch.clamp, torch.clip), TorchCalls.clamp),
    **dict.fromkeys((functional.softmax, torch.softmax), TorchCalls.softmax),
    **dict.fromkeys((operator.add, operator.iadd, torch.add), TorchCalls.add),
    **dict.fromkeys((operator.sub, operator.isub, torch.sub), TorchCalls.subtract),
    **dict.fromkeys((operator.mul, operator.imul, torch.mul), TorchCalls.multiply),
    **dict.fromkeys((operator.truediv, operator.itruediv, torch.div), TorchCalls.divide),
    **dict.fromkeys((operator.neg, torch.neg), TorchCalls.negate),
    **dict.fromkeys((torch.cat, torch.concat), TorchCalls.concat),
    **dict.fromkeys((torch.split, torch.chunk), TorchCalls.split),
    torch.narrow: TorchCalls.narrow,
    operator.getitem: TorchCalls.item,
    **dict.fromkeys((functional.max_pool2d, torch.max_pool2d), TorchCalls.max_pool),
    functional.pad: TorchCalls.pad,
    functional.avg_pool2d: TorchCalls.average_pool,
    functional.adaptive_avg_pool2d: TorchCalls.adaptive_average_pool,
    functional.adaptive_max_pool2d: TorchCalls.adaptive_max_pool,
    torch.mean: TorchCalls.mean,
    **dict.fromkeys((functional.channel_shuffle, torch.channel_shuffle), TorchCalls.channel_shuffle),
    torch.permute: TorchCalls.permute,
    torch.transpose: TorchCalls.transpose,
    **dict.fromkeys(
        (torch.flatten, torch.reshape, torch.squeeze, torch.unsqueeze, torch.unflatten), TorchCalls.reshape
    ),
    **dict.fromkeys((functional.dropout, functional.dropout2d), TorchCalls.passed),
}

METHODS: dict[str, Any] = {
    **{name: getattr(torch, name) for name in ("add", "sub", "mul", "div", "neg", "relu", "sigmoid", "tanh")},
    **{f"{name}_": getattr(torch, name) for name in ("add", "sub", "mul", "div", "relu", "sigmoid", "clamp")},
    **{name: getattr(torch, name) for name in ("clamp", "softmax", "mean", "split", "chunk", "narrow")},
    **{name: getattr(torch, name) for name in ("permute", "transpose", "flatten", "reshape", "unflatten")},
    **{name: getattr(torch, name) for name in ("squeeze", "unsqueeze")},
    "view": torch.reshape,
    "contiguous": functional.dropout,
    "clone": functional.dropout,
}
"""Methods of a tensor, by the function that does the same."""

NAMES: dict[str, Read] = {
    "expand": TorchCalls.expand,
    "expand_as": TorchCalls.expand,
    "stochastic_depth": TorchCalls.passed,  # torchvision's, which drops nothing in eval mode
}
"""What has no function in torch, by its name."""

IN_PLACE = ("iadd", "isub", "imul", "itruediv")
