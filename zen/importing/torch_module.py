"""A torch module of one's own -> Graph, by tracing it with torch.fx."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from inspect import signature
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from ...errors import NetworkError
from ..graph import INPUT, Graph, Shape
from ..threads import few_threads
from .assembler import Assembler
from .own_module import failing_as
from .priced_module import on_meta, price_module
from .read_graph import ReadGraph
from .torch_calls import Found, TorchCalls
from .torch_names import FUNCTIONS, IN_PLACE, LAYERS, METHODS, NAMES
from .torch_values import TracedValues

_BATCH = 3  # any number that is no usual extent: shapes are propagated with it


def graph_of_module(module: nn.Module, input_shape: Shape, prices: bool = False) -> Graph:
    """The graph alone of what `read_module` reads; with `prices` what `price_module` gives."""
    return (price_module if prices else read_module)(module, input_shape).graph


@few_threads()
def read_module(module: nn.Module, input_shape: Shape) -> ReadGraph:
    """The graph that a module computes in eval mode on images of `input_shape` (channels, height, width).

    Arguments beside the image keep their defaults. The module stays as it is, and no number is computed
    before somebody asks for weights. Raises NetworkError where torch.fx cannot trace it or an operation has
    no counterpart.
    """
    image = torch.empty(_BATCH, *input_shape, device="meta")
    with failing_as(_untraceable(image)):
        shapes_only, originals = on_meta(module)
        traced = fx.symbolic_trace(_OfImages(shapes_only))
    held = {key: partial(_itself, x) for key, x in originals.items()}
    return read_traced(traced.graph, traced, image, held)


@few_threads()
def read_traced(
    graph: fx.Graph, root: nn.Module, image: Tensor, held: Mapping[int, Callable[[], Tensor]]
) -> ReadGraph:
    """The graph that calls of torch's layers, functions and methods on a batch of images compute.

    `root` has the layers and weights that the calls name, on the meta device as the image is; `held` gives
    the values of those weights by their identity. Raises NetworkError as `read_module` does.
    """
    assembler = Assembler(tuple(image.shape[1:]))
    with failing_as(_untraceable(image)):
        _Shapes(root, graph=graph).run(image)
    return _Reader(graph, root, assembler, TracedValues(graph, held), image.shape[0]).read()


def _untraceable(image: Tensor) -> str:
    return f"the module cannot be traced on an image of {' x '.join(map(str, image.shape[1:]))}"


def _itself(x: Tensor) -> Tensor:
    return x


class _OfImages(nn.Module):
    """A module that takes one argument, whatever others with defaults the one in it has."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Any:
        return self.module(x)


class _Shapes(fx.Interpreter):
    """Runs traced calls and keeps every node's value: meta tensors, and sizes as numbers."""

    def run_node(self, n: fx.Node) -> Any:
        n.meta["value"] = value = super().run_node(n)
        return value


class _Reader:
    """Reads traced calls node by node."""

    def __init__(
        self, traced: fx.Graph, root: nn.Module, assembler: Assembler, values: TracedValues, batch: int
    ) -> None:
        self.traced, self.root, self.assembler, self.batch = traced, root, assembler, batch
        self.calls = TorchCalls(assembler, values.source_of)
        self.tensors: dict[fx.Node, Found] = {}

    def read(self) -> ReadGraph:
        self._check_weights()
        for node in self.traced.nodes:
            if node.op == "placeholder":
                self.tensors[node] = INPUT
            elif node.op == "output":
                (result,) = node.args
                found = self.tensors.get(result) if isinstance(result, fx.Node) else None
                if not isinstance(found, str):
                    raise NetworkError("the module gives no single tensor; let it give its last one only")
                return self.assembler.read(found)
            elif _tensors(node.meta["value"]) and any(x in self.tensors for x in node.all_input_nodes):
                self.tensors[node] = self._read(node)
        raise NetworkError("the module gives nothing")

    def _check_weights(self) -> None:
        """Refuses weights that come from the image, whatever makes them, and those made of more numbers than
        they are, or a second time: the graph would have another number of parameters."""
        of_image: set[fx.Node] = set()
        made_of: dict[fx.Node, dict[int, int]] = {}
        """Of what does not come from the image, the sizes of the parameters behind it."""
        layers = [self.root.get_submodule(str(x.target)) for x in self.traced.nodes if x.op == "call_module"]
        used = {id(one) for layer in layers for one in layer.parameters()}
        for node in self.traced.nodes:
            read = [x for x in node.all_input_nodes if x in of_image]
            made_of[node] = {key: size for x in node.all_input_nodes for key, size in made_of[x].items()}
            value = node.meta.get("value")
            if node.op == "get_attr" and isinstance(value, nn.Parameter):
                made_of[node] = {id(value): value.numel()}
            if node.op == "placeholder" or (read and _tensors(node.meta.get("value"))):
                of_image.add(node)
            weight = node.kwargs.get("weight", node.args[1] if len(node.args) > 1 else None)
            if node.target in _WEIGHTED and isinstance(weight, fx.Node) and weight in of_image:
                raise NetworkError(
                    f"'{node.name}', a call of {node.target.__name__}, computes its weights from the image; "
                    "only constants can be read"
                )
            if node.target in _WEIGHTED and isinstance(weight, fx.Node):
                held, kept = sum(made_of[weight].values()), weight.meta["value"].numel()
                if held > kept:
                    raise NetworkError(
                        f"'{node.name}', a call of {node.target.__name__}, computes its {kept:,} weights "
                        f"from {held:,} parameters; compute them once and keep them as one weight"
                    )
                if not used.isdisjoint(made_of[weight]):
                    raise NetworkError(
                        f"'{node.name}', a call of {node.target.__name__}, uses its weights a second time; "
                        "give each use its own layer"
                    )
                used.update(made_of[weight])

    def _read(self, node: fx.Node) -> Found:
        # What is no tensor of the network (sizes, weights) is known: the shapes' run has computed it.
        args: tuple[Any, ...]
        args, kwargs = fx.map_arg((node.args, node.kwargs), lambda n: self.tensors.get(n, n.meta["value"]))
        calls, calls.value = self.calls, node.meta["value"]
        if node.op == "call_module":
            layer = self.root.get_submodule(str(node.target))
            name = str(node.target).removeprefix("module.")
            calls.where = f"'{name}', a {type(layer).__name__},"
            read, args = LAYERS.get(type(layer)), (layer, *args)
            in_place = getattr(layer, "inplace", False)
        else:
            name = node.target if isinstance(node.target, str) else node.target.__name__
            calls.where = f"'{node.name}', a call of {name},"
            target = node.target if node.op == "call_function" else METHODS.get(name)
            read = FUNCTIONS.get(target) or NAMES.get(name)
            told = kwargs.get("inplace", args[1] if len(args) > 1 else False) is True
            in_place = told or name.endswith("_") or name in IN_PLACE
        if read is None:
            raise NetworkError(f"{calls.where} cannot be read; express it by what docs/reading.md lists")
        try:
            signature(read).bind(calls, *args, **kwargs)
        except TypeError as error:
            raise NetworkError(f"{calls.where} has arguments that cannot be read: {error}") from None
        found = read(calls, *args, **kwargs)
        if in_place and self._is_read_later(node.all_input_nodes[0], node):
            raise NetworkError(f"{calls.where} changes in place what is read again later; make it a copy")
        self._check(found)
        return found

    def _is_read_later(self, tensor: fx.Node, node: fx.Node) -> bool:
        return any(user > node for user in tensor.users)

    def _check(self, found: Found) -> None:
        """The traced shapes are ours."""
        names = found if isinstance(found, tuple) else (found,)
        for name, value in zip(names, _tensors(self.calls.value), strict=True):
            shape, ours = tuple(value.shape[1:]), self.assembler.shape(name)
            if value.shape[0] != self.batch or shape != ours:
                raise NetworkError(
                    f"{self.calls.where} gives the shape {shape} where {ours} can be read; express it by "
                    "what docs/reading.md lists"
                )


_WEIGHTED = (functional.conv2d, torch.conv2d, functional.linear)


def _tensors(value: Any) -> tuple[Tensor, ...]:
    """Those that a value is or holds."""
    return tuple(_held(value))


def _held(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _held(one)
    elif isinstance(value, dict):
        yield from _held(list(value.values()))
