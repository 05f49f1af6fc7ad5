"""Nodes of an ONNX file -> operations of a graph."""

from __future__ import annotations

from functools import partial
from math import isclose, prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import NetworkError
from ...zen.graph import (
    EPSILON,
    Affine,
    ChannelScale,
    Conv,
    Function,
    Linear,
    PoolMode,
    Shape,
)
from ...zen.importing.window import Window
from .onnx_inputs import HalfRead, OnnxInputs

_HARD_SIGMOID = (1 / 6, 0.5)  # slope and offset of the function as networks use it


class OnnxNodes(OnnxInputs):
    """Makes operations of nodes; a method reads nodes of one kind."""

    def conv(self) -> str:
        x, (out_channels, of_group, *kernel) = self._first, self._weight(1)
        window, groups = self._window(tuple(kernel)), self.attributes.get("group", 1)
        if (given := self.assembler.shape(x)[0]) != of_group * groups:
            raise NetworkError(
                f"{self.where} has weights for {of_group * groups} channels and reads {given}; "
                "export it again"
            )
        made = self.assembler.conv(x, out_channels, window, groups, self._reads(2), self.where)
        return self._weighed(made, weight=1, bias=2)

    def batch_norm(self) -> str:
        made = self.assembler.batch_norm(self._first, self.where, self.attributes.get("epsilon", 1e-5))
        return self._weighed(made, weight=1, bias=2, running_mean=3, running_var=4)

    def layer_norm(self) -> str:
        if len(self.node.input) < 3:
            raise NetworkError(f"{self.where} has no shift; give it one")
        x = self._first
        axis = self._axis(self.attributes.get("axis", -1), len(self.assembler.shape(x)) + 1)
        epsilon = self.attributes.get("epsilon", 1e-5)
        made = self.assembler.layer_norm(x, len(self.assembler.shape(x)) - axis, self.where, epsilon)
        return self._weighed(made, weight=1, bias=2)

    def group_norm(self) -> str:
        epsilon = self.attributes.get("epsilon", 1e-5)
        x = self._first
        if self._weight(1) != self.assembler.shape(x)[:1]:  # opset 18 had them by group
            raise NetworkError(f"{self.where} has a scale a group; export it with opset 21 or later")
        made = self.assembler.group_norm(x, self.attributes["num_groups"], self.where, epsilon)
        return self._weighed(made, weight=1, bias=2)

    def instance_norm(self) -> HalfRead:
        """Of groups of channels: a group norm, where its scale and shift follow."""
        half = self.halves.get(self.node.input[0])
        scale, shift = self._numbers(1, "scale"), self._numbers(2, "shift")
        if half is None or half.kind != "normed parts" or np.any(scale != 1) or np.any(shift != 0):
            raise NetworkError(f"{self.where} is read as a part of a group norm only; use a group norm")
        return half._replace(kind="normed", epsilon=self.attributes.get("epsilon", 1e-5))

    def activation(self, function: Function) -> str:
        return self.assembler.activation(self._first, function, self.where)

    def leaky_relu(self) -> str:
        slope = self.attributes.get("alpha", 0.01)
        return self.assembler.activation(self._first, "leaky-relu", self.where, slope)

    def elu(self) -> str:
        if self.attributes.get("alpha", 1.0) != 1:
            raise NetworkError(f"{self.where} has alpha {self.attributes['alpha']:g}; only 1 can be read")
        return self.activation("elu")

    def gelu(self) -> str:
        is_tanh = self.attributes.get("approximate", b"none") == b"tanh"
        return self.activation("gelu-tanh" if is_tanh else "gelu")

    def hard_sigmoid(self) -> str:
        slope = self.attributes.get("alpha", 0.2), self.attributes.get("beta", 0.5)
        if np.allclose(slope, _HARD_SIGMOID):
            return self.activation("hard-sigmoid")
        return self.assembler.clip_from_zero(
            self.assembler.affine(self._first, self.where, *slope), 1, self.where
        )

    def clip(self) -> str:
        least, most = self._numbers(1, "min"), self._numbers(2, "max")
        if least is None or least.item() != 0:
            raise NetworkError(f"{self.where} clips to {least} and {most}; only from 0 on can be read")
        return self.assembler.clip_from_zero(self._first, None if most is None else most.item(), self.where)

    def softmax(self) -> str:
        x = self._first
        axis = self._axis(self.attributes.get("axis", -1), len(self.assembler.shape(x)) + 1)
        return self.assembler.softmax(x, axis, self.where)

    def erf(self) -> HalfRead:
        x = self._first
        made = self.assembler.maker(x)
        if not isinstance(made, Affine) or not isclose(made.factor, sqrt(1 / 2), rel_tol=1e-6) or made.offset:
            raise NetworkError(f"{self.where} is read as a part of GELU only, erf(x / sqrt(2))")
        return HalfRead("erf", self.assembler.like(x, made.inputs[0]))

    def softplus(self) -> HalfRead:
        return HalfRead("softplus", self._first)

    def tanh(self) -> str | HalfRead:
        half = self.halves.get(self.node.input[0])
        if half is not None and half.kind == "softplus":
            return HalfRead("tanh softplus", half.x)
        return self.activation("tanh")

    def add(self) -> str | HalfRead:
        names = list(self.node.input)
        constants = [name for name in names if name in self.constants]
        if not constants:
            return self.assembler.add([self._tensor(name) for name in names], self.where)
        if len(names) != 2 or len(constants) == 2:
            raise NetworkError(f"{self.where} adds several constants; only one at a time can be read")
        (constant,), (name,) = constants, [name for name in names if name not in self.constants]
        number, half = self._number(constant), self.halves.get(name)
        if half is not None and half.kind == "erf" and number == 1:
            return half._replace(kind="1 + erf")
        if half is not None and half.kind == "scaled":
            made = self.assembler.group_norm(half.x, half.groups, self.where, half.epsilon)
            sources = self._source(half.constant), self._source(constant)
            return self.assembler.weighed(made, weight=sources[0], bias=sources[1])
        x = self._tensor(name)
        return self._with_bias(x, constant) or self._plus(x, constant, number)

    def _plus(self, x: str, constant: str, number: float | None) -> str:
        if number is not None:
            return self.assembler.affine(x, self.where, offset=number)
        made = self.assembler.channel_shift(x, self.constants[constant].dims, self.where)
        return self.assembler.weighed(made, bias=self._source(constant))

    def _with_bias(self, x: str, constant: str) -> str | None:
        """A convolution, linear layer or scale whose bias or shift comes as an Add of its own."""
        made, shape = self.assembler.maker(x), self.constants[constant].dims
        if made is None or prod(shape) != made.shape[0] or x != made.name:
            return None
        if len(made.shape) == 3 and shape[-3:] != (made.shape[0], 1, 1):
            return None
        weight, bias = self.assembler.source(made, "weight"), self._source(constant)
        if isinstance(made, Conv | Linear) and not made.bias:
            return self.assembler.weighed(self.assembler.again(made, bias=True), weight=weight, bias=bias)
        if isinstance(made, ChannelScale) and not made.is_single and len(made.shape) == 3:
            norm = self.assembler.batch_norm(made.inputs[0], self.where)
            count = made.shape[0]
            statistics = partial(np.zeros, count), partial(np.full, count, 1 - EPSILON)
            return self.assembler.weighed(
                norm, weight=weight, bias=bias, running_mean=statistics[0], running_var=statistics[1]
            )
        return None

    def subtract(self) -> str:
        x, y = self.node.input
        if (number := self._number(y)) is not None:
            return self.assembler.affine(self._tensor(x), self.where, offset=-number)
        if (number := self._number(x)) is not None:
            return self.assembler.affine(self._tensor(y), self.where, -1, number)
        if y in self.constants:
            made = self.assembler.channel_shift(self._tensor(x), self._weight(1), self.where)
            return self.assembler.weighed(made, bias=self._source(y, np.negative))
        return self.assembler.add(
            [self._tensor(x), self.assembler.affine(self._tensor(y), self.where, -1)], self.where
        )

    def divide(self) -> str:
        x, y = self.node.input
        if (number := self._number(y)) is not None:
            return self.assembler.affine(self._tensor(x), self.where, 1 / number)
        made = self.assembler.channel_scale(self._tensor(x), self._weight(1), self.where)
        return self.assembler.weighed(made, weight=self._source(y, np.reciprocal))

    def multiply(self) -> str | HalfRead:
        names = list(self.node.input)
        for name, constant in (names, names[::-1]):
            half, number = self.halves.get(name), self._number(constant)
            if half is not None and (found := self._completed(half, constant, number)) is not None:
                return found
            if number is not None:
                return self.assembler.affine(self._tensor(name), self.where, number)
            if constant in self.constants:
                shape = self.constants[constant].dims
                made = self.assembler.channel_scale(self._tensor(name), shape, self.where)
                return self.assembler.weighed(made, weight=self._source(constant))
        x, y = map(self._tensor, names)
        return self.assembler.multiply(x, y, self.where)

    def _completed(self, half: HalfRead, other: str, number: float | None) -> str | HalfRead | None:
        """A function that files spell out, or as far as it has come, where `other` is its next factor."""
        if half.kind == "normed" and number is None and other in self.constants:
            return half._replace(kind="scaled", constant=other)
        if half.kind == "x (1 + erf)" and number == 0.5:
            return self.assembler.activation(half.x, "gelu", self.where)
        if number is not None or other not in self.tensors:
            return None
        factor = self.tensors[other]
        if half.kind == "tanh softplus" and factor == half.x:
            return self.assembler.activation(half.x, "mish", self.where)
        if half.kind == "1 + erf":
            if factor == half.x:
                return half._replace(kind="x (1 + erf)")
            made = self.assembler.maker(factor)
            is_half = isinstance(made, Affine) and (made.factor, made.offset) == (0.5, 0.0)
            if made is not None and is_half and self.assembler.like(factor, made.inputs[0]) == half.x:
                return self.assembler.activation(half.x, "gelu", self.where)
        return None

    def concat(self) -> str:
        parts = [self._tensor(name) for name in self.node.input]
        self._channels(parts[0], self.attributes["axis"])
        return self.assembler.concat(parts, self.where)

    def split(self) -> None:
        x = self._first
        channels, count = self._channels(x, self.attributes.get("axis", 0)), len(self.node.output)
        sizes = self._numbers(1, "split")
        part = -(-channels // count)
        widths = [part] * (count - 1) + [channels - part * (count - 1)] if sizes is None else sizes.tolist()
        start = 0
        for name, width in zip(self.node.output, widths, strict=True):
            self.tensors[name] = self.assembler.slice(x, start, width, self.where)
            start += width

    def slice(self) -> str:
        x = self._first
        starts, ends, axes, steps = (
            self._numbers(position, name)
            for position, name in enumerate(("starts", "ends", "axes", "steps"), 1)
        )
        if starts is None or ends is None or len(starts) != 1 or (steps is not None and steps[0] != 1):
            raise NetworkError(f"{self.where} takes more than a run of channels; only that can be read")
        channels = self._channels(x, 0 if axes is None else int(axes[0]))
        start, end, _ = slice(int(starts[0]), int(ends[0])).indices(channels)
        return self.assembler.slice(x, start, end - start, self.where)

    def pool(self, mode: PoolMode) -> str:
        window = self._window(tuple(self.attributes["kernel_shape"]))
        rounds_up = bool(self.attributes.get("ceil_mode", 0))
        counts_padding = bool(self.attributes.get("count_include_pad", 0))
        return self.assembler.pool(self._first, mode, window, self.where, rounds_up, counts_padding)

    def global_max_pool(self) -> str:
        x = self._first
        window = Window(self.assembler.shape(x)[-1], 1, 0)
        return self.assembler.pool(x, "max", window, self.where, False, False)

    def pad(self) -> str:
        mode = self.attributes.get("mode", b"constant").decode()
        pads, value = self._numbers(1, "pads"), self._numbers(2, "value")
        if mode != "constant" or pads is None or len(pads) != 8 or len(self.node.input) > 3:
            raise NetworkError(f"{self.where} pads by '{mode}'; only a constant around maps can be read")
        images, channels, top, left, *ends = map(int, pads)
        if images or channels or any(ends[:2]):
            raise NetworkError(f"{self.where} pads channels or images; only height and width can be padded")
        fill = 0.0 if value is None else float(value.item())
        return self.assembler.pad(self._first, (top, left, ends[2], ends[3]), fill, self.where)

    def global_average_pool(self) -> str:
        return self.assembler.mean(self._first, (1, 2), True, self.where)

    def mean(self) -> str:
        x, axes = self._first, self._numbers(1, "axes")
        rank = len(self.assembler.shape(x)) + 1
        found = range(rank) if axes is None else axes.tolist()
        keeps_axes = bool(self.attributes.get("keepdims", 1))
        return self.assembler.mean(x, [self._axis(axis, rank) for axis in found], keeps_axes, self.where)

    def flatten(self) -> str:
        x = self._first
        if self.attributes.get("axis", 1) != 1:
            raise NetworkError(f"{self.where} flattens from axis {self.attributes['axis']}; only from axis 1")
        return self.assembler.reshape(x, (prod(self.assembler.shape(x)),), self.where)

    def reshape(self) -> str | HalfRead:
        wanted = self._numbers(1, "shape")
        half = self.halves.get(self.node.input[0])
        if half is not None and half.kind == "normed":
            if wanted is None or not self._is_shape(wanted, self.assembler.shape(half.x)):
                raise NetworkError(f"{self.where} is read as a part of a group norm only; use a group norm")
            return half
        x = self._first
        shape = self.assembler.shape(x)
        if wanted is not None and wanted.tolist() in ([-1], [prod(shape)]) and self.batch in (0, 1):
            return HalfRead("all in a row", x)
        if wanted is None or len(wanted) < 2:
            raise NetworkError(f"{self.where} reshapes to {wanted}; it must keep the images apart")
        images, *rest = map(int, wanted)
        if len(rest) == 2 and len(shape) == 3 and rest[1] in (-1, prod(shape) // rest[0]) and rest[0] > 0:
            return HalfRead("normed parts", x, groups=rest[0])
        if images not in (-1, 0, 1, self.batch):
            raise NetworkError(f"{self.where} reshapes to {wanted}; it must keep the images apart")
        rest = [shape[place] if extent == 0 else extent for place, extent in enumerate(rest)]
        if -1 in rest:
            rest[rest.index(-1)] = prod(shape) // -prod(rest)
        return self.assembler.reshape(x, rest, self.where)

    def _is_shape(self, wanted: NDArray[Any], shape: Shape) -> bool:
        pairs = zip(wanted[1:].tolist(), shape, strict=False)
        return len(wanted) == len(shape) + 1 and all(found in (0, -1, extent) for found, extent in pairs)

    def gather(self) -> str:
        """All values of one image in a row, taken in their order: what strides are exported as."""
        half, taken = self.halves.get(self.node.input[0]), self._numbers(1, "indices")
        if (
            half is None
            or half.kind != "all in a row"
            or taken is None
            or taken.ravel().tolist() != list(range(prod(self.assembler.shape(half.x))))
            or taken.shape[:1] != (1,)
        ):
            raise NetworkError(f"{self.where} takes places one by one; only runs of channels can be read")
        return self.assembler.reshape(half.x, taken.shape[1:], self.where)

    def squeeze(self) -> str:
        x, axes = self._first, self._numbers(1, "axes")
        shape = self.assembler.shape(x)
        gone = {place for place, extent in enumerate(shape) if extent == 1}
        if axes is not None:
            gone = {self._axis(int(axis), len(shape) + 1) for axis in axes}
        kept = [extent for place, extent in enumerate(shape) if place not in gone]
        return self.assembler.reshape(x, kept, self.where)

    def unsqueeze(self) -> str:
        x, axes = self._first, self._numbers(1, "axes")
        shape = list(self.assembler.shape(x))
        rank = len(shape) + 1 + (0 if axes is None else len(axes))
        for axis in sorted(self._axis(int(axis), rank) for axis in ([] if axes is None else axes)):
            shape.insert(axis, 1)
        return self.assembler.reshape(x, shape, self.where)

    def transpose(self) -> str:
        x, order = self._first, self.attributes.get("perm", [])
        if not order or order[0] != 0:
            raise NetworkError(f"{self.where} moves the batch; only axes of an image can be put in order")
        return self.assembler.permute(x, [axis - 1 for axis in order[1:]], self.where)

    def passed(self) -> str | None:
        if self.node.input[0] in self.constants:  # exporters share equal weights by an Identity
            self.constants[self.node.output[0]] = self.constants[self.node.input[0]]
            return None
        return self._first

    def gemm(self) -> str:
        rows, columns = self._weight(1)
        is_turned = bool(self.attributes.get("transB", 0))
        if is_turned:
            rows, columns = columns, rows
        factors = [self.attributes.get(name, 1.0) for name in ("alpha", "beta")]
        if factors != [1.0, 1.0] or self.attributes.get("transA", 0):
            raise NetworkError(
                f"{self.where} multiplies by {factors} or turns its input; export it as a linear layer"
            )
        made = self.assembler.linear(self._first, rows, columns, self._reads(2), self.where)
        weight = self._source(self.node.input[1], None if is_turned else np.transpose)
        return self.assembler.weighed(
            made, weight=weight, bias=self._source(self.node.input[2]) if self._reads(2) else None
        )

    def matrix_product(self) -> str:
        rows, columns = self._weight(1)
        made = self.assembler.linear(self._first, rows, columns, False, self.where)
        return self.assembler.weighed(made, weight=self._source(self.node.input[1], np.transpose))
