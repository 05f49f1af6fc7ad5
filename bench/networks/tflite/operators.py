"""Operators of a TFLite file -> operations of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....errors import NetworkError
from ....zen.graph import EPSILON, Function, Pool, PoolMode, Shape
from ....zen.importing.window import Window
from ...export.tflite_windows import correction
from .inputs import HeldMap, TfliteInputs


class TfliteOperators(TfliteInputs):
    """Makes operations of operators; a method reads those of one kind."""

    def conv(self) -> str:
        x, (out_channels, *kernel, of_group) = self._padded_map(), self._constant(1).shape
        groups, rest = divmod(self.assembler.shape(x)[0], of_group)
        if rest:
            raise NetworkError(f"{self.where} has weights for {of_group} channels and reads another number")
        return self._convolved(x, out_channels, kernel, groups, (0, 3, 1, 2))

    def depthwise(self) -> str:
        x, (_, *kernel, out_channels) = self._padded_map(), self._constant(1).shape
        strides = self._option("StrideH", 0), self._option("StrideW", 0)
        is_scale = [*kernel, *strides] == [1] * 4 and out_channels == self.assembler.shape(x)[0]
        if is_scale and self._reads(2) and self._held("padded") is None:
            return self._normed(x)
        return self._convolved(x, out_channels, kernel, self.assembler.shape(x)[0], (3, 0, 1, 2))

    def _normed(self, x: str) -> str:
        """A scale and a shift a channel, which is how files write a batch norm that has no convolution."""
        made, count = self.assembler.batch_norm(x, self.where), self.assembler.shape(x)[0]
        statistics = {
            "running_mean": partial(np.zeros, count),
            "running_var": partial(np.full, count, 1 - EPSILON),
        }
        made = self.assembler.weighed(made, weight=self._source(1), bias=self._source(2), **statistics)
        return self._fused(self.assembler.channels_last(made))

    def _padded_map(self) -> str:
        """The map that a convolution or pool reads, with what is around it."""
        held = self._held("padded")
        return self._map() if held is None else held.x

    def _convolved(
        self, x: str, out_channels: int, kernel: Sequence[int], groups: int, order: tuple[int, ...]
    ) -> str:
        """`order`: how the file's weights become (outputs, inputs of a group, height, width)."""
        window = self._window((kernel[0], kernel[1]))
        made = self.assembler.conv(x, out_channels, window, groups, self._reads(2), self.where)
        made = self.assembler.weighed(
            made, weight=self._source(1, lambda values: values.transpose(order)), bias=self._source(2)
        )
        return self._fused(self.assembler.channels_last(made))

    def linear(self) -> str:
        out_features, in_features = self._constant(1).shape
        flattened = self._held("flattened")
        x = self._first if flattened is None else self.assembler.channels_last(flattened.x)
        shape = self.assembler.shape(x)
        order = None
        if len(shape) == 3 and (flattened is not None or in_features == prod(shape)):
            order = shape
            x = self.assembler.permute(x, (2, 0, 1), self.where)
            x = self.assembler.reshape(x, (prod(shape),), self.where)
        made = self.assembler.linear(x, in_features, out_features, self._reads(2), self.where)
        weight = self._source(1, lambda values: values if order is None else _channels_first(values, order))
        return self._fused(self.assembler.weighed(made, weight=weight, bias=self._source(2)))

    def activation(self, function: Function) -> str:
        return self.assembler.activation(self._first, function, self.where)

    def leaky_relu(self) -> str:
        return self.assembler.activation(self._first, "leaky-relu", self.where, self._option("Alpha", 0.0))

    def prelu(self) -> str:
        slopes = np.unique(self._constant(1).values())
        if slopes.size != 1:
            raise NetworkError(
                f"{self.where} learned a slope a channel; only one slope for all can be read, a leaky ReLU"
            )
        return self.assembler.activation(self._first, "leaky-relu", self.where, float(slopes[0]))

    def gelu(self) -> str:
        return self.activation("gelu-tanh" if self._option("Approximate", False) else "gelu")

    def softmax(self) -> str:
        x = self._first
        if self._option("Beta", 1.0) != 1:
            raise NetworkError(f"{self.where} has a beta other than 1; only 1 can be read")
        return self.assembler.softmax(x, len(self.assembler.shape(x)) - 1, self.where)

    def add(self) -> str:
        return self._fused(self._sum(1))

    def subtract(self) -> str:
        if not self._is_constant(0):
            return self._fused(self._sum(-1))
        number = self._number(0)
        if number is None:
            raise NetworkError(f"{self.where} subtracts from constants; only from a single number")
        return self._fused(self.assembler.affine(self._tensor(1), self.where, -1, number))

    def _sum(self, sign: int) -> str:
        """Of the first tensor and `sign` times the second."""
        (x, constant), where = self._operands(), self.where
        if constant is None:
            other = self.assembler.affine(self._tensor(1), where, sign)
            return self.assembler.add([x, other], where)
        if (number := self._number(constant)) is not None:
            return self.assembler.affine(x, where, offset=sign * number)
        made = self.assembler.channel_shift(x, self._broadcast(x, constant), where)
        return self.assembler.weighed(made, bias=self._source(constant, lambda values: sign * values))

    def multiply(self) -> str:
        x, constant = self._operands()
        if constant is None:
            return self._fused(self._product(x, self._tensor(1)))
        if (number := self._number(constant)) is not None:
            return self._fused(self.assembler.affine(x, self.where, number))
        if (pooled := self._uncounted(x, constant)) is not None:
            return self._fused(pooled)
        made = self.assembler.channel_scale(x, self._broadcast(x, constant), self.where)
        return self._fused(self.assembler.weighed(made, weight=self._source(constant)))

    def divide(self) -> str:
        number = self._number(1) if self._is_constant(1) else None
        if number is None or number == 0:
            raise NetworkError(f"{self.where} divides by more than a number; only by one that is not nought")
        return self._fused(self.assembler.affine(self._first, self.where, 1 / number))

    def negate(self) -> str:
        return self.assembler.affine(self._first, self.where, -1)

    def _operands(self) -> tuple[str, int | None]:
        """The first tensor of the image, and the position of the constant where there is one."""
        for position, other in ((0, 1), (1, 0)):
            if self._is_constant(other):
                return self._tensor(position), other
        return self._first, None

    def _broadcast(self, x: str, position: int) -> Shape:
        """The shape of a constant beside a tensor of the image, without the batch."""
        shape, rank = self._constant(position).shape, len(self.assembler.shape(x))
        if len(shape) > rank and prod(shape[:-rank]) != 1:
            raise NetworkError(f"{self.where} has a constant for each image; only one for all can be read")
        return shape[-rank:]

    def _product(self, x: str, y: str) -> str:
        """Of maps of any layout: the gate may have another size."""
        maps = [self.assembler.channels_first(one) for one in (x, y)]
        if maps[0] is not None and maps[1] is not None:
            made = self.assembler.multiply(maps[0], maps[1], self.where)
            return self.assembler.channels_last(made)
        return self.assembler.multiply(x, y, self.where)

    def _uncounted(self, x: str, position: int) -> str | None:
        """An average that counted its padding, times what makes it one that does not; None where it is
        another product."""
        made, image = self.assembler.maker(x), self.assembler.channels_first(x)
        if not isinstance(made, Pool) or made.name != image or not made.counts_padding:
            return None
        height = self.assembler.shape(made.inputs[0])[1]
        wanted = correction(made, (height, height))
        found = self._constant(position)
        if found.shape != wanted.shape or not np.allclose(found.values(), wanted, rtol=1e-5):
            return None
        window = Window(made.kernel, made.stride, made.padding)
        again = self.assembler.pool(made.inputs[0], "average", window, self.where, False, False)
        return self.assembler.channels_last(again)

    def concat(self) -> str:
        parts = [self._tensor(position) for position in range(len(self.operator.inputs))]
        rank = len(self.assembler.shape(parts[0])) + 1
        self._check_channels(self._axis(self._option("Axis", 0), rank), rank)
        maps = [self.assembler.channels_first(x) for x in parts]
        sources = [x for x in maps if x is not None]
        if len(sources) < len(parts):
            return self._fused(self.assembler.concat(parts, self.where))
        return self._fused(self.assembler.channels_last(self.assembler.concat(sources, self.where)))

    def _check_channels(self, axis: int, rank: int) -> None:
        if axis != rank - 2:
            raise NetworkError(f"{self.where} works along axis {axis + 1}; only channels, the last, can be")

    def split(self) -> None:
        count = len(self.operator.outputs)
        channels, rest = divmod(self.assembler.shape(self._tensor(1))[-1], count)
        if rest:
            raise NetworkError(f"{self.where} splits channels into parts that differ; say their sizes")
        self._split(1, 0, [channels] * count)

    def split_by_sizes(self) -> None:
        self._split(0, 2, [int(size) for size in np.ravel(self._numbers(1, "sizes"))])

    def _split(self, position: int, axis: int, sizes: list[int]) -> None:
        x, (start, channels) = self._tensor(position), (0, self.assembler.shape(self._tensor(position))[-1])
        rank = len(self.assembler.shape(x)) + 1
        self._check_channels(self._axis(int(np.ravel(self._numbers(axis, "axis"))[0]), rank), rank)
        if -1 in sizes:
            sizes[sizes.index(-1)] = channels - sum(sizes) - 1
        for number, size in zip(self.operator.outputs, sizes, strict=True):
            self.tensors[number] = self.assembler.slice(x, start, size, self.where)
            start += size

    def slice(self) -> str:
        begins, sizes = self._numbers(1, "begin"), self._numbers(2, "size")
        extents = (self.batch, *self.assembler.shape(self._first))
        ends = [
            extent if size == -1 else begin + size
            for begin, size, extent in zip(begins, sizes, extents, strict=True)
        ]
        return self._taken(list(zip(begins, ends, strict=True)))

    def strided_slice(self) -> str:
        begins, ends, strides = (
            self._numbers(position, name) for position, name in ((1, "begin"), (2, "end"), (3, "strides"))
        )
        others = ("EllipsisMask", "NewAxisMask", "ShrinkAxisMask")
        if any(self._option(name, 0) for name in others) or any(stride != 1 for stride in strides):
            raise NetworkError(f"{self.where} takes more than a run of channels; only that can be read")
        extents = (self.batch, *self.assembler.shape(self._first))
        runs = []
        for axis, (begin, end, extent) in enumerate(zip(begins, ends, extents, strict=True)):
            from_first, to_last = (self._option(name, 0) >> axis & 1 for name in ("BeginMask", "EndMask"))
            run = slice(None if from_first else begin, None if to_last else end)
            runs.append(run.indices(extent)[:2])
        return self._taken(runs)

    def _taken(self, runs: Sequence[tuple[int, int]]) -> str:
        """So much of every axis, of which only channels may be cut."""
        x = self._first
        extents = (self.batch, *self.assembler.shape(x))
        *others, (start, end) = runs
        if any(run != (0, extent) for run, extent in zip(others, extents[:-1], strict=True)):
            raise NetworkError(
                f"{self.where} takes a part of the places; only a run of channels can be taken"
            )
        return self.assembler.slice(x, start, end - start, self.where)

    def pool(self, mode: PoolMode) -> str:
        x = self._padded_map()
        window = self._window((self._option("FilterHeight", 0), self._option("FilterWidth", 0)))
        made = self.assembler.pool(x, mode, window, self.where, False, False)
        return self._fused(self.assembler.channels_last(made))

    def pad(self) -> None:
        x, amounts = self._map(), self._numbers(1, "amounts")
        value = self._number(2) if self._reads(2) else 0.0
        images, (top, bottom), (left, right), channels = amounts
        if any((*images, *channels)):
            raise NetworkError(f"{self.where} pads channels or images; only height and width can be padded")
        if value is None:
            raise NetworkError(f"{self.where} pads with several values; only with one")
        if value <= np.finfo(np.float32).min:  # the least number there is stands for none at all
            value = -np.inf
        padded = self.assembler.pad(x, (top, left, bottom, right), float(value), self.where)
        self.held[self.operator.outputs[0]] = HeldMap("padded", padded)

    def mean(self) -> str:
        x, axes = self._first, np.ravel(self._numbers(1, "axes")).tolist()
        rank = len(self.assembler.shape(x)) + 1
        found = [self._axis(axis, rank) for axis in axes]
        return self.assembler.mean(x, found, bool(self._option("KeepDims", False)), self.where)

    def reshape(self) -> str | None:
        (result,) = self.operator.outputs
        is_told = not self._reads(1) or self.operator.inputs[1] in self.shapes
        wanted = (
            list(self.source.tensors[result].shape)
            if is_told
            else np.ravel(self._numbers(1, "shape")).tolist()
        )
        if (turned := self._held("turned")) is not None:
            return self._shuffled(turned, wanted)
        x = self._first
        shape = self.assembler.shape(x)
        extents = list(self._without_batch(wanted))
        if extents.count(-1) == 1:
            extents[extents.index(-1)] = prod(shape) // max(-prod(extents), 1)
        image = self.assembler.channels_first(x)
        if image is not None and tuple(extents) == (prod(shape),) and shape[:2] != (1, 1):
            self.held[result] = HeldMap("flattened", image)
            return None
        if (
            image is not None
            and len(extents) > 2
            and prod(extents[-2:]) == shape[-1]
            and tuple(extents) != shape
        ):
            self.held[result] = HeldMap("grouped", image, extents[-2])
            return None
        if len(shape) == 1 and extents == [1, 1, *shape]:
            made = self.assembler.reshape(x, (*shape, 1, 1), self.where)
            return self.assembler.channels_last(made)
        return self.assembler.reshape(x, extents, self.where)

    def _shuffled(self, turned: HeldMap, wanted: list[int]) -> str:
        channels, height, width = self.assembler.shape(turned.x)
        if self._without_batch(wanted) != (height, width, channels):
            raise NetworkError(f"{self.where} reads groups of channels; only a shuffle of them can be read")
        return self.assembler.channels_last(
            self.assembler.channel_shuffle(turned.x, turned.groups, self.where)
        )

    def transpose(self) -> str | None:
        order = self._numbers(1, "order")
        grouped, rank = self._held("grouped"), len(order)
        if grouped is not None and order == [*range(rank - 2), rank - 1, rank - 2]:
            self.held[self.operator.outputs[0]] = HeldMap("turned", grouped.x, grouped.groups)
            return None
        if not order or order[0] != 0:
            raise NetworkError(f"{self.where} moves the batch; only axes of an image can be put in order")
        return self.assembler.permute(self._first, [axis - 1 for axis in order[1:]], self.where)

    def squeeze(self) -> str:
        x = self._first
        shape = self.assembler.shape(x)
        wanted = self._option("SqueezeDimsAsNumpy", 0)
        axes = (
            {self._axis(int(axis), len(shape) + 1) for axis in np.ravel(wanted)}
            if np.ndim(wanted)
            else {axis for axis, extent in enumerate(shape) if extent == 1}
        )
        kept = [extent for axis, extent in enumerate(shape) if axis not in axes]
        return self.assembler.reshape(x, kept, self.where)

    def passed(self) -> str | None:
        """The tensor as it is, in another number format."""
        number, (result, *_) = self.operator.inputs[0], self.operator.outputs
        if number in self.constants:
            self.constants[result] = self.constants[number]
            return None
        if number in self.held:
            self.held[result] = self.held[number]
            return None
        return self._first


def _channels_first(weight: NDArray[Any], shape: Shape) -> NDArray[Any]:
    """Of a layer on a flattened map (H, W, C), for one that is flattened as (C, H, W)."""
    outputs = weight.shape[0]
    return weight.reshape(outputs, *shape).transpose(0, 3, 1, 2).reshape(outputs, -1)
