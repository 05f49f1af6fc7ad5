"""A torch module of one's own -> Graph, by tracing it with torch.fx."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from copy import deepcopy
from inspect import signature
from math import prod
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from ...errors import NetworkError
from ..graph import INPUT, Function, Graph, Shape
from ..threads import few_threads
from .assembler import Assembler, Window

_BATCH = 3  # any number that is no usual extent: shapes are propagated with it


@few_threads()
def graph_of_module(module: nn.Module, input_shape: Shape) -> Graph:
    """The graph that a module computes in eval mode on images of `input_shape` (channels, height, width).

    The module stays as it is, no number is computed, weights are left behind. Raises NetworkError where
    torch.fx cannot trace it or an operation has no counterpart.
    """
    assembler = Assembler(tuple(input_shape))
    try:
        traced = fx.symbolic_trace(deepcopy(module).to("meta").eval())
        _Shapes(traced).run(torch.empty(_BATCH, *input_shape, device="meta"))
    except Exception as error:  # a user's forward raises what it likes
        reason = str(error).strip().split("\n", 1)[0]
        shape = " x ".join(map(str, input_shape))
        raise NetworkError(f"the module cannot be traced on an image of {shape}: {reason}") from error
    return _Reader(traced, assembler).graph()


class _Shapes(fx.Interpreter):
    """Runs a traced module and keeps every node's value: meta tensors, and sizes as numbers."""

    def run_node(self, n: fx.Node) -> Any:
        n.meta["value"] = value = super().run_node(n)
        return value


class _Reader:
    """Reads a traced module node by node; methods named after torch's functions take their arguments."""

    def __init__(self, traced: fx.GraphModule, assembler: Assembler) -> None:
        self.traced, self.assembler = traced, assembler
        self.tensors: dict[fx.Node, str] = {}
        self.weights: set[int] = set()
        self.where = ""
        self.value: Any = None

    def graph(self) -> Graph:
        for node in self.traced.graph.nodes:
            self.value = node.meta.get("value")
            if node.op == "placeholder":
                if self.tensors:
                    raise NetworkError("the module takes more than one input; only the image can be read")
                self.tensors[node] = INPUT
            elif node.op == "output":
                (result,) = node.args
                if not isinstance(result, fx.Node) or result not in self.tensors:
                    raise NetworkError("the module gives no single tensor; let it give its last one only")
                return self.assembler.graph(self.tensors[result])
            elif isinstance(self.value, Tensor) and any(x in self.tensors for x in node.all_input_nodes):
                self.tensors[node] = self._read(node)
        raise NetworkError("the module gives nothing")

    def _read(self, node: fx.Node) -> str:
        # What is no tensor of the network (sizes, weights) is known: the shapes' run has computed it.
        args: tuple[Any, ...]
        args, kwargs = fx.map_arg((node.args, node.kwargs), lambda n: self.tensors.get(n, n.meta["value"]))
        if node.op == "call_module":
            layer = self.traced.get_submodule(str(node.target))
            self.where = f"'{node.target}', a {type(layer).__name__},"
            read, args = _LAYERS.get(type(layer)), (layer, *args)
            in_place = getattr(layer, "inplace", False)
        else:
            name = node.target if isinstance(node.target, str) else node.target.__name__
            self.where = f"'{node.name}', a call of {name},"
            read = _FUNCTIONS.get(node.target if node.op == "call_function" else _METHODS.get(name))
            told = kwargs.get("inplace", args[1] if len(args) > 1 else False) is True
            in_place = told or name.endswith("_") or name in _IN_PLACE
        if read is None:
            raise NetworkError(f"{self.where} cannot be read; express it by what docs/reading.md lists")
        try:
            signature(read).bind(self, *args, **kwargs)
        except TypeError as error:
            raise NetworkError(f"{self.where} has arguments that cannot be read: {error}") from None
        found = read(self, *args, **kwargs)
        if in_place and self._is_read_later(node.all_input_nodes[0], node):
            raise NetworkError(f"{self.where} changes in place what is read again later; make it a copy")
        self._check(found)
        return found

    def _is_read_later(self, tensor: fx.Node, node: fx.Node) -> bool:
        return any(user > node for user in tensor.users)

    def _check(self, tensor: str) -> None:
        """The traced shape is ours, or ours flattened."""
        shape, ours = tuple(self.value.shape[1:]), self.assembler.shape(tensor)
        if self.value.shape[0] != _BATCH or shape not in (ours, (prod(ours),)):
            raise NetworkError(
                f"{self.where} gives the shape {shape} where {ours} can be read; reshape only to flatten, "
                "and make gates of 1x1 convolutions"
            )

    def _own(self, weight: Any) -> None:
        if not isinstance(weight, Tensor):
            raise NetworkError(
                f"{self.where} computes its weights from the image; only constants can be read"
            )
        if id(weight) in self.weights:
            raise NetworkError(f"{self.where} uses its weights a second time; give each use its own layer")
        self.weights.add(id(weight))

    def conv(
        self,
        x: str,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> str:
        self._own(weight)
        if isinstance(padding, str):
            padding = "upper" if padding == "same" else 0
        window = Window(tuple(weight.shape[2:]), stride, padding, dilation)
        return self.assembler.conv(x, weight.shape[0], window, groups, bias is not None, self.where)

    def batch_norm(
        self,
        x: str,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        *_: Any,
        **__: Any,
    ) -> str:
        if weight is None or running_mean is None:
            raise NetworkError(f"{self.where} learns no scale or keeps no statistics; let it do both")
        self._own(weight)
        return self.assembler.batch_norm(x, self.where)

    def pad(self, x: str, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> str:
        if mode != "constant":
            raise NetworkError(f"{self.where} pads with '{mode}'; only constants can be read")
        left, right, top, bottom, *others = (*pad, 0, 0)[: max(len(pad), 4)]
        if any(others):
            raise NetworkError(f"{self.where} pads channels or images; only height and width can be padded")
        return self.assembler.pad(x, (top, left, bottom, right), value or 0.0, self.where)

    def linear(self, x: str, weight: Tensor, bias: Tensor | None = None) -> str:
        self._own(weight)
        if self.value.dim() != 2:
            raise NetworkError(f"{self.where} reads a map place by place; flatten it before")
        return self.assembler.linear(x, weight.shape[0], bias is not None, self.where)

    def add(self, x: Any, other: Any, alpha: float = 1) -> str:
        if not (isinstance(x, str) and isinstance(other, str) and alpha == 1):
            raise NetworkError(f"{self.where} adds a constant or a multiple; only two tensors can be added")
        return self.assembler.add([x, other], self.where)

    def multiply(self, x: Any, other: Any) -> str:
        if not (isinstance(x, str) and isinstance(other, str)):
            raise NetworkError(f"{self.where} multiplies by a constant; put it into the weights before it")
        return self.assembler.multiply(x, other, self.where)

    def concat(self, tensors: Sequence[Any], dim: int = 0) -> str:
        if dim not in (1, 1 - self.value.dim()):
            raise NetworkError(
                f"{self.where} joins along axis {dim}; only the channels, axis 1, can be joined"
            )
        if not all(isinstance(x, str) for x in tensors):
            raise NetworkError(f"{self.where} joins a constant; only tensors of the image can be joined")
        return self.assembler.concat(list(tensors), self.where)

    def max_pool(
        self,
        x: str,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> str:
        window = Window(kernel_size, stride or kernel_size, padding, dilation)
        return self.assembler.pool(x, "max", window, self.where, ceil_mode, counts_padding=False)

    def average_pool(
        self,
        x: str,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> str:
        if divisor_override is not None:
            raise NetworkError(f"{self.where} divides by a number of its own; leave divisor_override out")
        window = Window(kernel_size, stride or kernel_size, padding)
        return self.assembler.pool(x, "average", window, self.where, ceil_mode, count_include_pad)

    def adaptive_pool(self, x: str, output_size: Any) -> str:
        if output_size not in (1, (1, 1), [1, 1]):
            raise NetworkError(f"{self.where} pools to {output_size}; only a pool to 1 x 1 can be read")
        return self.assembler.global_average_pool(x, self.where)

    def mean(self, x: str, dim: Any = None, keepdim: bool = False) -> str:
        axes = {axis % 4 for axis in (dim if isinstance(dim, tuple | list) else ())}
        if axes != {2, 3}:
            raise NetworkError(
                f"{self.where} takes the mean over {dim}; only height and width together, (2, 3)"
            )
        return self.assembler.global_average_pool(x, self.where)

    def reshape(self, x: str, *_: Any, **__: Any) -> str:
        return x  # flattened or as it was: the check of the shape says so

    def passed(self, x: str, *_: Any, **__: Any) -> str:
        return x


def _activation(function: Function) -> Callable[..., str]:
    return lambda reader, x, *_, **__: reader.assembler.activation(x, function, reader.where)


def _layer_activation(function: Function) -> Callable[..., str]:
    return lambda reader, layer, x: reader.assembler.activation(x, function, reader.where)


def _conv_layer(reader: _Reader, layer: nn.Conv2d, x: str) -> str:
    if layer.padding_mode != "zeros":
        raise NetworkError(f"{reader.where} pads with '{layer.padding_mode}'; only zeros can be read")
    padding: Any = layer.padding
    return reader.conv(x, layer.weight, layer.bias, layer.stride, padding, layer.dilation, layer.groups)


_LAYERS: dict[type[nn.Module], Callable[..., str]] = {
    nn.Conv2d: _conv_layer,
    nn.BatchNorm2d: lambda reader, layer, x: reader.batch_norm(
        x, layer.running_mean, layer.running_var, layer.weight
    ),
    nn.Linear: lambda reader, layer, x: reader.linear(x, layer.weight, layer.bias),
    nn.ReLU: _layer_activation("relu"),
    nn.ReLU6: _layer_activation("relu6"),
    nn.SiLU: _layer_activation("swish"),
    nn.Hardswish: _layer_activation("hard-swish"),
    nn.Sigmoid: _layer_activation("sigmoid"),
    nn.Hardsigmoid: _layer_activation("hard-sigmoid"),
    nn.MaxPool2d: lambda reader, layer, x: reader.max_pool(
        x, layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.ceil_mode
    ),
    nn.AvgPool2d: lambda reader, layer, x: reader.average_pool(
        x,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.ceil_mode,
        layer.count_include_pad,
        layer.divisor_override,
    ),
    nn.AdaptiveAvgPool2d: lambda reader, layer, x: reader.adaptive_pool(x, layer.output_size),
    nn.ZeroPad2d: lambda reader, layer, x: reader.pad(x, layer.padding),
    nn.ConstantPad2d: lambda reader, layer, x: reader.pad(x, layer.padding, value=layer.value),
    nn.Flatten: lambda reader, layer, x: x,
    nn.Identity: lambda reader, layer, x: x,
    nn.Dropout: lambda reader, layer, x: x,
    nn.Dropout2d: lambda reader, layer, x: x,
}

_FUNCTIONS: dict[Any, Callable[..., str]] = {
    **dict.fromkeys((functional.conv2d, torch.conv2d), _Reader.conv),
    **dict.fromkeys((functional.batch_norm,), _Reader.batch_norm),
    **dict.fromkeys((functional.linear,), _Reader.linear),
    **dict.fromkeys((functional.relu, torch.relu, torch.relu_), _activation("relu")),
    functional.relu6: _activation("relu6"),
    functional.silu: _activation("swish"),
    functional.hardswish: _activation("hard-swish"),
    **dict.fromkeys((functional.sigmoid, torch.sigmoid), _activation("sigmoid")),
    functional.hardsigmoid: _activation("hard-sigmoid"),
    **dict.fromkeys((operator.add, operator.iadd, torch.add), _Reader.add),
    **dict.fromkeys((operator.mul, operator.imul, torch.mul), _Reader.multiply),
    **dict.fromkeys((torch.cat, torch.concat), _Reader.concat),
    **dict.fromkeys((functional.max_pool2d, torch.max_pool2d), _Reader.max_pool),
    functional.pad: _Reader.pad,
    functional.avg_pool2d: _Reader.average_pool,
    functional.adaptive_avg_pool2d: _Reader.adaptive_pool,
    torch.mean: _Reader.mean,
    **dict.fromkeys((torch.flatten, torch.reshape, torch.squeeze), _Reader.reshape),
    **dict.fromkeys((functional.dropout, functional.dropout2d), _Reader.passed),
}

_METHODS: dict[str, Any] = {
    "add": torch.add,
    "add_": torch.add,
    "mul": torch.mul,
    "mul_": torch.mul,
    "relu": torch.relu,
    "relu_": torch.relu,
    "sigmoid": torch.sigmoid,
    "mean": torch.mean,
    "flatten": torch.flatten,
    "reshape": torch.reshape,
    "view": torch.reshape,
    "squeeze": torch.squeeze,
    "contiguous": functional.dropout,
}
"""Methods of a tensor, by the function that does the same."""

_IN_PLACE = ("iadd", "imul")
