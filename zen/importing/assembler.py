"""Assembling a graph from another library's operations, and refusing what ours cannot express."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, isclose, prod

from ...errors import NetworkError
from ..graph import (
    EPSILON,
    INPUT,
    Activation,
    Affine,
    Conv,
    Function,
    Multiply,
    PoolMode,
    Shape,
)
from ..windows import Padding, fitted, reach_of
from .assembly import Assembly
from .views import Padded, Turned
from .window import Window

_GATED: dict[Function, Function] = {"sigmoid": "swish", "hard-sigmoid": "hard-swish"}
"""What x f(x) is called, by f."""

_POSITIVE: tuple[Function, ...] = ("relu", "relu6", "sigmoid", "hard-sigmoid")
"""Functions without values below nought."""


@dataclass
class Assembler(Assembly):
    """Appends operations of another library to a graph.

    Tensors are ours or views of ours; `where` names an operation as its library does, for the one sentence of
    the NetworkError that every method raises for what cannot be expressed.
    """

    def conv(self, x: str, out_channels: int, window: Window, groups: int, bias: bool, where: str) -> str:
        kernel, stride, dilation = window.square(where)
        around = self._views.get(x)
        padding = self._square_padding(x, window, where)
        if isinstance(around, Padded):
            if around.value != 0:
                raise NetworkError(f"{where} reads a map padded with {around.value:g}; pad it with zeros")
            x = around.source
        in_channels = self.shape(self._image(x, where))[0]
        if groups < 1 or out_channels < 1 or in_channels % groups or out_channels % groups:
            raise NetworkError(
                f"{where} makes {out_channels} channels of {in_channels} in {groups} groups; no runtime can, "
                "export it again"
            )
        return self._builder.conv(x, out_channels, kernel, stride, groups, bias, padding, dilation)

    def batch_norm(self, x: str, where: str, epsilon: float = EPSILON) -> str:
        view = self._views.get(x)
        if (
            isinstance(view, Turned)
            and view.form == "flat"
            and view.shape == self._builder.shape(view.source)[:1]
        ):
            return self._turned(self._builder.batch_norm(view.source, epsilon), view.shape, "flat")
        return self._builder.batch_norm(self._image(x, where), epsilon)

    def layer_norm(self, x: str, axes: int, where: str, epsilon: float = EPSILON) -> str:
        """Over the last `axes` axes."""
        source, channel = self._channel_axis(x, where)
        shape = self.shape(x)
        if channel != len(shape) - 1 or prod(shape[-axes:]) != shape[channel]:
            raise NetworkError(
                f"{where} normalises over {shape[-axes:]} of {shape}; only over the channels of a place can "
                "be read"
            )
        return self._as(x, self._builder.layer_norm(source, epsilon))

    def group_norm(self, x: str, groups: int, where: str, epsilon: float = EPSILON) -> str:
        return self._builder.group_norm(self._image(x, where), groups, epsilon)

    def activation(self, x: str, function: Function, where: str, slope: float = 0.0) -> str:
        return self._through([x], where, lambda ours: self._builder.activation(ours[0], function, slope))

    def clip_from_zero(self, x: str, most: float | None, where: str) -> str:
        """max(x, 0), at most `most` where there is one."""
        if most is None or most == inf:
            return self.activation(x, "relu", where)
        if most <= 0:
            raise NetworkError(f"{where} clips to 0 and {most:g}; nothing is left")
        scaled = self.activation(self.affine(x, where, 6 / most), "relu6", where)
        return self.affine(scaled, where, most / 6)

    def softmax(self, x: str, axis: int, where: str) -> str:
        """Over the channels, or over their groups; `axis` does not count the batch."""
        view, shape = self._views.get(x), self.shape(x)
        if isinstance(view, Turned) and view.form == "groups" and axis % len(shape) == 0:
            return self._as(x, self._builder.group_softmax(view.source, shape[0]))
        source, channel = self._channel_axis(x, where)
        if axis % len(shape) != channel:
            raise NetworkError(f"{where} takes the softmax over axis {axis} of {shape}; only over channels")
        return self._as(x, self._builder.group_softmax(source, shape[channel]))

    def affine(self, x: str, where: str, factor: float = 1.0, offset: float = 0.0) -> str:
        """x * factor + offset; what changes nothing is passed through."""
        if (factor, offset) == (1.0, 0.0):
            return x
        return self._through([x], where, lambda ours: self._simplified(ours[0], factor, offset))

    def _simplified(self, x: str, factor: float, offset: float) -> str:
        """A hard sigmoid or hard swish where it is spelled out: relu6(x + 3) / 6, x relu6(x + 3) / 6."""
        if offset == 0 and isclose(factor, 1 / 6, rel_tol=1e-6):
            ops = {op.name: op for op in self.ops()}

            def raised_and_clipped(name: str) -> str | None:
                clip = ops.get(name)
                inner = (
                    ops.get(clip.inputs[0])
                    if isinstance(clip, Activation) and clip.function == "relu6"
                    else None
                )
                is_raised = isinstance(inner, Affine) and (inner.factor, inner.offset) == (1.0, 3.0)
                return inner.inputs[0] if inner is not None and is_raised else None

            if (source := raised_and_clipped(x)) is not None:
                return self._builder.activation(source, "hard-sigmoid")
            product = ops.get(x)
            if isinstance(product, Multiply):
                for value, gate in (product.inputs, product.inputs[::-1]):
                    if raised_and_clipped(gate) == value:
                        return self._builder.activation(value, "hard-swish")
        return self._builder.affine(x, factor, offset)

    def channel_scale(self, x: str, shape: Shape, where: str) -> str:
        """x times learned constants of a shape that broadcasts to it."""
        source, is_single = self._constants(x, shape, where)
        return self._as(x, self._builder.channel_scale(source, is_single))

    def channel_shift(self, x: str, shape: Shape, where: str) -> str:
        """x plus learned constants of a shape that broadcasts to it."""
        source, is_single = self._constants(x, shape, where)
        return self._as(x, self._builder.channel_shift(source, is_single))

    def _constants(self, x: str, shape: Shape, where: str) -> tuple[str, bool]:
        source, channel = self._channel_axis(x, where)
        ours = self.shape(x)
        wide = [(axis - len(shape), extent) for axis, extent in enumerate(shape) if extent != 1]
        if not wide:
            return source, True
        if wide == [(channel - len(ours), ours[channel])]:
            return source, False
        raise NetworkError(
            f"{where} has constants of the shape {shape} for {ours}; only one for all or one a channel "
            "can be read"
        )

    def add(self, branches: Sequence[str], where: str) -> str:
        """A residual sum where, behind what all branches come from, some hold more convolutions.

        Those with the most are the trunk, the others shortcuts; else all count alike.
        """
        if len({self.shape(x) for x in branches}) > 1:
            raise NetworkError(f"{where} adds tensors of different shapes; give them the same")
        return self._through(branches, where, self._sum)

    def _sum(self, branches: Sequence[str]) -> str:
        depths = self._depths(branches)
        trunk = self._builder.sum(
            [x for x, depth in zip(branches, depths, strict=True) if depth == max(depths)]
        )
        for x, depth in zip(branches, depths, strict=True):
            if depth < max(depths):
                trunk = self._builder.add(trunk, x)
        return trunk

    def multiply(self, x: str, y: str, where: str) -> str:
        """x f(x) where one is a sigmoid of the other, else the product of a tensor and its gate."""
        x, y = (
            view.source
            if isinstance(view := self._views.get(one), Turned) and view.form == "expanded"
            else one
            for one in (x, y)
        )
        return self._through([x, y], where, lambda both: self._product(both[0], both[1], where))

    def _product(self, x: str, y: str, where: str) -> str:
        makers = {one: self.maker(one) for one in (x, y)}
        functions = {one: op.function for one, op in makers.items() if isinstance(op, Activation)}
        gates = {one for one, function in functions.items() if function in _GATED}
        pairs = ((x, y), (y, x))
        for value, gate in pairs:
            if gate in gates and (op := makers[gate]) and op.inputs[0] == value:
                return self._builder.activation(value, _GATED[functions[gate]])
        for value, gate in pairs:
            shape, of_gate = self.shape(value), self.shape(gate)
            if shape != of_gate and of_gate in ((shape[0], 1, 1), (1, *shape[1:])):
                return self._builder.multiply(value, gate)
        if self.shape(x) != self.shape(y):
            raise NetworkError(
                f"{where} multiplies tensors of the shapes {self.shape(x)} and {self.shape(y)}; one must be "
                "a gate of one value a channel (C, 1, 1) or place (1, H, W), or both the same"
            )
        if len(gates) == 1:
            return self._builder.multiply(*(pairs[0] if y in gates else pairs[1]))
        of_x, of_y = self._depths([x, y])
        return self._builder.multiply(*(pairs[0] if of_x >= of_y else pairs[1]))

    def concat(self, parts: Sequence[str], where: str) -> str:
        views = [self._views.get(x) for x in parts]
        if all(isinstance(view, Turned) and view.form == "flat" for view in views):
            joined = self._joined([view.source for view in views if view is not None], where)
            return self._turned(joined, (prod(self.shape(joined)),), "flat")
        return self._joined(parts, where)

    def _joined(self, parts: Sequence[str], where: str) -> str:
        if len({self.shape(self._plain(x, where))[1:] for x in parts}) > 1:
            raise NetworkError(f"{where} joins tensors of different sizes; give them the same")
        return self._builder.concat(parts)

    def slice(self, x: str, start: int, channels: int, where: str) -> str:
        """So many channels from one on."""
        source, channel = self._channel_axis(x, where)
        if (start, channels) == (0, self.shape(x)[channel]):
            return x
        if not (0 <= start < start + channels <= self.shape(x)[channel]):
            raise NetworkError(
                f"{where} takes channels {start} to {start + channels} of {self.shape(x)[channel]}"
            )
        return self._as(x, self._builder.slice(source, start, channels))

    def channel_shuffle(self, x: str, groups: int, where: str) -> str:
        return self._builder.channel_shuffle(self._image(x, where), groups)

    def pool(
        self, x: str, mode: PoolMode, window: Window, where: str, rounds_up: bool, counts_padding: bool
    ) -> str:
        """`rounds_up`: a window cut by the image's end is kept; `counts_padding`: as zeros in an average."""
        kernel, stride, dilation = window.square(where)
        if dilation != 1:
            raise NetworkError(f"{where} has the dilation {dilation}; only convolutions can have one")
        padding = self._square_padding(x, window, where)
        if isinstance(around := self._views.get(x), Padded):
            self._check_pooled_padding(around, mode, window, where)
            x, counts_padding = around.source, True
        size = self.shape(self._image(x, where))[1]
        if max(padding) >= kernel:
            raise NetworkError(f"{where} has windows that lie on its padding alone; pad less than the kernel")
        if mode == "average" and kernel == size and not any(padding):
            return self._builder.global_average_pool(x)
        if rounds_up:
            before, after = padding[0], padding[2]
            count = 1 + ceil((size + before + after - kernel) / stride)
            if (count - 1) * stride >= size + before:
                count -= 1  # a window must begin inside the image
            cut = (count - 1) * stride + kernel - size - before
            if counts_padding and any(padding) and cut > after:
                raise NetworkError(
                    f"{where} counts its padding but not what lies beyond it; set ceil_mode or "
                    "count_include_pad to false"
                )
            counts_padding = counts_padding and any(padding)
            padding = (before, before, max(after, cut), max(after, cut))
        return self._builder.pool(x, mode, kernel, stride, padding, mode == "average" and counts_padding)

    def adaptive_average_pool(self, x: str, size: int, where: str) -> str:
        """To a map of that size, which must divide that of the map."""
        given = self.shape(self._image(x, where))[1]
        if size == 1:
            return self._builder.global_average_pool(x)
        if size == given:
            return x
        if given % size:
            raise NetworkError(f"{where} pools a map of {given} to {size}, which does not divide it")
        return self._builder.pool(x, "average", given // size, given // size, (0, 0, 0, 0))

    def mean(self, x: str, axes: Sequence[int], keeps_axes: bool, where: str) -> str:
        """Over height and width; `axes` do not count the batch."""
        view, shape = self._views.get(x), self.shape(x)
        is_last = isinstance(view, Turned) and view.form == "channels last"
        source = view.source if isinstance(view, Turned) and is_last else self._image(x, where)
        if len(shape) != 3 or sorted(axis % 3 for axis in axes) != ([0, 1] if is_last else [1, 2]):
            raise NetworkError(
                f"{where} takes the mean over {tuple(axes)}; only over height and width together"
            )
        pooled = self._builder.global_average_pool(source)
        channels = self.shape(pooled)[:1]
        if not keeps_axes:
            return self._turned(pooled, channels, "flat")
        return self.channels_last(pooled) if is_last else pooled

    def linear(self, x: str, in_features: int, out_features: int, bias: bool, where: str) -> str:
        """On features, or place by place on the channels of a map whose channels are last."""
        view, shape = self._views.get(x), self.shape(x)
        is_last = isinstance(view, Turned) and view.form == "channels last"
        if len(shape) != 1 and not is_last:
            raise NetworkError(f"{where} reads a map place by place; flatten it before, or put channels last")
        if shape[-1] != in_features:
            raise NetworkError(f"{where} has weights for {in_features} features and reads {shape[-1]}")
        if isinstance(view, Turned) and is_last:
            return self.channels_last(self._builder.conv(view.source, out_features, 1, bias=bias))
        source = view.source if isinstance(view, Turned) else x
        return self._builder.linear(source, out_features, bias)

    def _check_pooled_padding(self, around: Padded, mode: PoolMode, window: Window, where: str) -> None:
        """Refuses a pool that would give something else were it to pad the map by itself."""
        op = self.maker(around.source)
        positive = isinstance(op, Activation) and op.function in _POSITIVE
        if mode == "max" and not (around.value == -inf or (around.value == 0 and positive)):
            raise NetworkError(f"{where} takes the maximum over a map padded by {around.value:g}; pad in it")
        if mode == "average" and (around.value != 0 or any(window.ends(around.shape[1], where))):
            raise NetworkError(f"{where} averages over a map padded twice; pad it once, with zeros")

    def _square_padding(self, x: str, window: Window, where: str) -> Padding:
        """The padding of windows that make a square map, with what is around the map already."""
        kernel, stride, dilation = window.square(where)
        view = self._views.get(x)
        around = view.padding if isinstance(view, Padded) else (0, 0, 0, 0)
        size = self.shape(x if isinstance(view, Padded) else self._image(x, where))[1]
        ends = window.ends(size, where)
        size -= around[0] + around[2]
        top, left, bottom, right = (a + b for a, b in zip(ends, around, strict=True))
        reach = reach_of(kernel, dilation)
        rows, _ = fitted(size, reach, stride, top, bottom)
        columns, _ = fitted(size, reach, stride, left, right)
        if rows < 1:
            raise NetworkError(f"{where} reads windows of {reach} on a map of {size}; give a larger image")
        if rows != columns or top != left:
            raise NetworkError(
                f"{where} has the padding {top} x {left} x {bottom} x {right}; make it the same on both axes"
            )
        return top, left, bottom, right

    def _channel_axis(self, x: str, where: str) -> tuple[str, int]:
        """The tensor of ours behind features or a map, whatever its layout, and the axis of its channels."""
        view = self._views.get(x)
        if isinstance(view, Turned):
            if view.form == "channels last":
                return view.source, 2
            if view.form == "flat" and view.shape == self._builder.shape(view.source)[:1]:
                return view.source, 0
        return self._plain(x, where), 0

    def _depths(self, branches: Sequence[str]) -> list[int]:
        """Convolutions on the longest way to each branch from the last tensor that all come from."""
        found = [self._convolutions_before(x) for x in branches]
        order = [INPUT, *(op.name for op in self.ops())]
        fork = next(name for name in reversed(order) if all(name in depths for depths in found))
        return [depths[fork] for depths in found]

    def _convolutions_before(self, tensor: str) -> dict[str, int]:
        """For every tensor that `tensor` comes from, the convolutions on the longest way; gates left out."""
        found = {tensor: 0}
        for op in reversed(self.ops()):
            if op.name not in found:
                continue
            depth = found[op.name] + isinstance(op, Conv)
            for name in op.inputs[:1] if isinstance(op, Multiply) else op.inputs:
                found[name] = max(found.get(name, 0), depth)
        return found
