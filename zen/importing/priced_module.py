"""Any torch module -> Graph in which what cannot be read has a price.

The calls are taken while the module runs on the meta device: a torch function mode sees each of them with its
arguments, whatever control flow led to it. Nothing is traced, so there is nothing that tracing cannot do, and
sizes are numbers. torch.export takes 2 to 7 times as long, and gives operators of a lower level than those
that are read.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from copy import deepcopy
from inspect import signature
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.weak import WeakTensorKeyDictionary

from ...errors import NetworkError
from ..cost import op_cost
from ..graph import INPUT, Shape
from .assembler import Assembler
from .made_call import MadeCall, held_tensors
from .own_module import failing_as
from .read_graph import ReadGraph, WeightSource
from .torch_calls import TorchCalls

_BATCH = 97
"""A prime that no extent of a network is a multiple of, so that shapes tell which axis counts images."""


def price_module(module: nn.Module, input_shape: Shape) -> ReadGraph:
    """The graph of a module in eval mode on images of any shape, with a Priced operation in the place of each
    call that cannot be read, and the weights of all others.

    MACs are half of what FlopCounterMode counts for a call. Parameters are those that a call reads, each at
    the first call. What is computed from parameters alone is paid, with its MACs, by the first call that
    reads it with the image. Raises NetworkError where the module does not run on the meta device.
    """
    image = torch.empty(_BATCH, *input_shape, device="meta")
    counter = FlopCounterMode(display=False)
    with failing_as(f"the module cannot run on an image of {' x '.join(map(str, input_shape))}"):
        copy, originals = on_meta(module)
        calls = _Calls(tuple(input_shape), image, counter, originals)
        with torch.no_grad(), counter, calls:
            outputs = copy(image)
    return calls.read(outputs)


def on_meta(module: nn.Module) -> tuple[nn.Module, dict[int, Tensor]]:
    """A copy in eval mode whose tensors have no values, and never had, those that are shared once; and what
    each of them is a copy of, by identity."""
    copies: dict[int, Tensor] = {}
    for held in module.parameters():
        copies[id(held)] = nn.Parameter(torch.empty_like(held, device="meta"), requires_grad=False)
    for buffer in module.buffers():
        copies[id(buffer)] = torch.empty_like(buffer, device="meta")
    originals = {id(copies[id(held)]): held for held in (*module.parameters(), *module.buffers())}
    return deepcopy(module, copies).eval(), originals


class _Price:
    """Parameters and MACs by what they belong to, so that each counts once."""

    def __init__(self) -> None:
        self.params: dict[int, int] = {}
        self.macs: dict[int, int] = {}

    def add(self, other: _Price) -> None:
        self.params |= other.params
        self.macs |= other.macs

    def without(self, paid: _Price) -> tuple[int, int]:
        """The sums of MACs and parameters that are not paid yet."""
        macs = sum(count for key, count in self.macs.items() if key not in paid.macs)
        return macs, sum(count for key, count in self.params.items() if key not in paid.params)


class _Calls(TorchFunctionMode):
    """Reads or prices each call as it is made."""

    def __init__(
        self, input_shape: Shape, image: Tensor, counter: FlopCounterMode, originals: Mapping[int, Tensor]
    ) -> None:
        super().__init__()
        self.assembler = Assembler(input_shape, prices=True)
        self.reader = TorchCalls(self.assembler, self._source_of)
        self.originals = originals
        self.counter = counter
        self.seen_flops = 0
        self.tensors: MutableMapping[Tensor, str] = WeakTensorKeyDictionary()
        """Our names of what comes from the image."""
        self.tensors[image] = INPUT
        self.constants: MutableMapping[Tensor, _Price] = WeakTensorKeyDictionary()
        """What it cost to make those that do not."""
        self.paid = _Price()
        self.costly: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        call = MadeCall(func, args, kwargs or {})
        before = self.counter.get_total_flops()
        result = call.run()
        call.flops = self.counter.get_total_flops() - before
        self.seen_flops += call.flops
        if call.made:
            self._take(call)
        return result

    def _take(self, call: MadeCall) -> None:
        price = _Price()
        for x in call.given:
            if x not in self.tensors:
                price.add(self._price_of(x))
        images = [x for x in call.given if x in self.tensors]
        if not images:
            if call.flops:  # those seen so far are another number at every such call
                price.macs[self.seen_flops] = _macs(call)
            for x in call.made:
                self.constants[x] = price
            return
        of_constants, params = price.without(self.paid)
        self.paid.add(price)
        macs = of_constants + _macs(call)
        known = (*self.tensors, *self.constants) if call.changed else ()
        overlapping = [x for x in known if call.changes_within(x)]
        names = None if overlapping else self._read(call, macs, params)
        if names is None:
            names = self._priced(call, [self.tensors[x] for x in images], macs, params)
        for x, name in zip(call.made, names, strict=True):
            self.tensors[x] = name
        for x in overlapping:
            before = [self.tensors[x]] if x in self.tensors else []
            self.tensors[x] = self.assembler.priced(call.kind, [*before, *names], _shape(x), is_view=True)

    def _price_of(self, x: Tensor) -> _Price:
        price = _Price()
        if isinstance(x, nn.Parameter):
            price.params[id(x)] = x.numel()
        return self.constants.get(x, price)

    def _read(self, call: MadeCall, macs: int, params: int) -> list[str] | None:
        """The tensors of operations that are what the call is: they give the same shapes and cost as much."""
        read = call.read()
        if read is None or any(x.shape[:1] != (_BATCH,) for x in call.given if x in self.tensors):
            return None
        named = tree_map_only(Tensor, lambda x: self.tensors.get(x, x), (call.args, call.kwargs))
        self.reader.value = call.result
        ops_before = len(self.assembler.ops())
        try:
            signature(read).bind(self.reader, *named[0], **named[1])
            found = read(self.reader, *named[0], **named[1])
        except (NetworkError, TypeError):
            return None
        names = [found] if isinstance(found, str) else list(found)
        ops = self.assembler.ops()[ops_before:]
        costs = [op_cost(op) for op in ops]
        if [sum(cost[0] for cost in costs), sum(cost[1] for cost in costs)] != [macs, params]:
            return None
        if [(_BATCH, *self.assembler.shape(x)) for x in names] != [tuple(x.shape) for x in call.made]:
            return None
        self.costly += [op.name for op, cost in zip(ops, costs, strict=True) if any(cost)]
        return names

    def _priced(self, call: MadeCall, inputs: list[str], macs: int, params: int) -> list[str]:
        """The first of several outputs has the whole price, and the others come from it."""
        shape, *others = map(_shape, call.made)
        first = self.assembler.priced(call.kind, inputs, shape, macs, params, call.kind in _VIEWS)
        if macs or params:
            self.costly.append(first)
        return [first, *(self.assembler.priced(call.kind, [first], one) for one in others)]

    def _source_of(self, weight: Tensor) -> WeightSource:
        def values() -> NDArray[np.generic]:
            if id(weight) not in self.originals:
                raise NetworkError(
                    f"a weight of {tuple(weight.shape)} is computed from others; keep it as an nn.Parameter"
                )
            found: NDArray[np.generic] = self.originals[id(weight)].detach().float().cpu().numpy()
            return found

        return values

    def read(self, outputs: Any) -> ReadGraph:
        """The graph of all outputs, with what was computed for none of them."""
        unseen = self.counter.get_total_flops() - self.seen_flops
        if unseen:
            raise NetworkError(
                f"the module computes {unseen // 2 // _BATCH:,} MACs in compiled code, where no call can be "
                "seen; give it as it is before torch.jit.script"
            )
        names = [self.tensors[x] for x in held_tensors(outputs) if x in self.tensors]
        if not names:
            raise NetworkError("the module gives nothing that comes from its image")
        return self.assembler.whole(names, self.costly)


def _shape(x: Tensor) -> Shape:
    """Of one image: the first axis that holds the images is so many times shorter, or goes."""
    axis = _image_axis(x)
    if axis is None:
        return tuple(x.shape)
    of_image = x.shape[axis] // _BATCH
    return (*x.shape[:axis], *([of_image] if of_image > 1 else []), *x.shape[axis + 1 :])


def _image_axis(x: Tensor) -> int | None:
    return next((axis for axis, extent in enumerate(x.shape) if extent and extent % _BATCH == 0), None)


def _macs(call: MadeCall) -> int:
    """Of one image, or of what is the same for all images."""
    images = _BATCH if any(_image_axis(x) is not None for x in call.made) else 1
    return call.flops // 2 // images


_VIEWS = frozenset(
    (
        *("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as"),
        *("expand", "expand_as", "detach", "to", "float", "contiguous"),
    )
)
"""Calls that hand their input on in another shape."""
