"""Operators of an exported program -> nodes of a torch.fx graph that calls torch's functions."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import fx
from torch.nn import functional

from ....errors import NetworkError
from .aten import FORMS, NUMBERS, PASSED, Form

SIZES = "sizes"
"""Where a node keeps the shape that the program declares, None for an extent that is free."""


class UnknownOperator:
    """Stands for an operator that is not known here: gives tensors of the shapes that a program declares."""

    def __init__(self, target: str, shapes: Sequence[tuple[int, ...]]) -> None:
        self.__name__ = target.removeprefix("torch.ops.").removeprefix("aten.").partition(".")[0]
        self.shapes = shapes

    def __call__(self, *_: Any) -> Any:
        found = [torch.empty(shape, device="meta") for shape in self.shapes]
        return found[0] if len(found) == 1 else tuple(found)


def appended(graph: fx.Graph, name: str, given: Mapping[str, Any]) -> Any:
    """What an operator gives of its arguments by name: a node, mostly a new one; None of an unknown operator.

    Raises NetworkError, a sentence without its subject, where it computes what no network here can.
    """
    if name in NUMBERS:
        return graph.call_function(NUMBERS[name], tuple(given.values()))
    if name not in FORMS and name not in PASSED and name not in _SPELLED:
        return None
    packet, overload = name.split(".")
    schema = getattr(getattr(torch.ops.aten, packet), overload)._schema
    arguments = {one.name: given.get(one.name, one.default_value) for one in schema.arguments}
    if arguments.get("training") is True or (arguments.get("train") is True and arguments.get("p")):
        raise NetworkError("is as it is in training; export the module in eval mode")
    if arguments.get("transposed") is True:
        return None
    if name in PASSED:
        return next(iter(arguments.values()))
    if name in _SPELLED:
        return _SPELLED[name](graph, arguments)
    form: Form = FORMS[name]
    args = tuple(arguments[one] for one in form.arguments.split())
    kwargs = {one: arguments[one] for one in form.keywords.split()} | dict(form.constants)
    if isinstance(form.target, str):
        return graph.call_method(form.target, args, kwargs)
    return graph.call_function(form.target, args, kwargs)


def erase_read_past(graph: fx.Graph) -> None:
    """Takes the reshaping out that nothing reads, since linear layers read what was before it."""
    for node in reversed(graph.nodes):
        if node.target is torch.reshape and not node.users:
            graph.erase_node(node)


def _slice(graph: fx.Graph, arguments: Mapping[str, Any]) -> Any:
    x, axis, start, end, step = arguments.values()
    if (start or 0, step) == (0, 1) and (end is None or end == _END):
        return x
    if axis < 0:
        raise NetworkError("counts its axis from the end; write x[:, a:b]")
    taken = (*(slice(None),) * axis, slice(start, end, step))
    return graph.call_function(operator.getitem, (x, taken))


_END = 2**63 - 1


def _select(graph: fx.Graph, arguments: Mapping[str, Any]) -> Any:
    x, axis, index = arguments.values()
    if axis < 0:
        raise NetworkError("counts its axis from the end; write x[:, a]")
    return graph.call_function(operator.getitem, (x, (*(slice(None),) * axis, index)))


def _turned(graph: fx.Graph, arguments: Mapping[str, Any]) -> Any:
    return graph.call_function(torch.transpose, (arguments["self"], 0, 1))


def _product(graph: fx.Graph, arguments: Mapping[str, Any]) -> Any:
    """A linear layer, as a product with its weight turned: x W, bias + x W."""
    is_sum = "mat1" in arguments
    x = arguments["mat1" if is_sum else "self"]
    if is_sum and (arguments["alpha"], arguments["beta"]) != (1, 1):
        raise NetworkError("multiplies its terms; leave alpha and beta at 1")
    weight = graph.call_function(torch.transpose, (arguments["mat2"], 0, 1))
    bias = arguments["self"] if is_sum else None
    return graph.call_function(functional.linear, (_places(x), weight, bias))


def _clamp(graph: fx.Graph, arguments: Mapping[str, Any]) -> Any:
    """With both limits, where one came before the other: so hard swish is decomposed."""
    x, least, most = (arguments.get(name) for name in ("self", "min", "max"))
    if least is None and isinstance(x, fx.Node) and x.target is torch.clamp and x.args[2] is None:
        x, least, _ = x.args
    return graph.call_function(torch.clamp, (x, least, most))


def _strided(graph: fx.Graph, arguments: Mapping[str, Any]) -> Any:
    """Of a map of one place, which a decomposed pool gives other strides of the same order."""
    x, size, stride = (arguments[name] for name in ("self", "size", "stride"))
    if tuple(size) != x.meta.get(SIZES) or size[2:] != [1, 1] or stride[:2] != [size[1], 1]:
        return None
    return x


def _places(x: Any) -> Any:
    """Features in front of a linear layer, without the reshaping that counts their places as images."""
    if not isinstance(x, fx.Node) or x.target is not torch.reshape:
        return x
    source = x.all_input_nodes[0]
    before, features = source.meta.get(SIZES, ()), x.meta[SIZES]
    return source if len(features) == 2 < len(before) and before[-1] == features[-1] else x


_SPELLED: Mapping[str, Callable[[fx.Graph, Mapping[str, Any]], Any]] = {
    "slice.Tensor": _slice,
    "select.int": _select,
    "clamp.default": _clamp,
    "clamp_max.default": _clamp,
    "as_strided.default": _strided,
    "t.default": _turned,
    "addmm.default": _product,
    "mm.default": _product,
}
