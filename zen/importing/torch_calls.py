"""torch's layers, functions and methods, one after the other -> operations of a graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from ...errors import NetworkError
from .assembler import Assembler
from .read_graph import WeightSource
from .window import Window

Found = str | tuple[str, ...]
"""The tensor that a call gives, or the tensors."""


class TorchCalls:
    """Makes operations of calls. Methods named after torch's functions take their arguments, with the names
    of tensors in the place of those that come from the image.

    `where` names the call that is read, `value` is what it gave on the meta device; `source_of` tells where
    the values of a weight come from, which is on the meta device too.
    """

    def __init__(self, assembler: Assembler, source_of: Callable[[Tensor], WeightSource]) -> None:
        self.assembler = assembler
        self.source_of = source_of
        self.weights: set[int] = set()
        self.where = ""
        self.value: Any = None

    def _own(self, weight: Any, bias: Any = None) -> None:
        held = [weight] if bias is None else [weight, bias]
        if not all(isinstance(one, Tensor) for one in held):
            raise NetworkError(
                f"{self.where} computes its weights from the image; only constants can be read"
            )
        if not self.weights.isdisjoint(map(id, held)):
            raise NetworkError(f"{self.where} uses its weights a second time; give each use its own layer")
        self.weights.update(map(id, held))

    def _weighed(self, made: str, **parts: Tensor | None) -> str:
        sources = {part: None if x is None else self.source_of(x) for part, x in parts.items()}
        return self.assembler.weighed(made, **sources)

    def _axis(self, x: str, dim: int) -> int:
        """An axis that does not count the batch."""
        rank = len(self.assembler.shape(x)) + 1
        if dim % rank == 0:
            raise NetworkError(f"{self.where} works along the batch; only along axes of an image")
        return dim % rank - 1

    def _channels(self, x: str, dim: int) -> int:
        """The extent of the channels, which `dim` has to name."""
        if self._axis(x, dim) != 0:
            raise NetworkError(
                f"{self.where} works along axis {dim}; only the channels, axis 1, can be taken"
            )
        return self.assembler.shape(x)[0]

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
        self._own(weight, bias)
        if isinstance(padding, str):
            padding = "upper" if padding == "same" else 0
        window = Window(tuple(weight.shape[2:]), stride, padding, dilation)
        made = self.assembler.conv(x, weight.shape[0], window, groups, bias is not None, self.where)
        return self._weighed(made, weight=weight, bias=bias)

    def batch_norm(
        self,
        x: str,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> str:
        if weight is None or bias is None or running_mean is None:
            raise NetworkError(f"{self.where} learns no scale or keeps no statistics; let it do both")
        self._own(weight, bias)
        made = self.assembler.batch_norm(x, self.where, eps)
        statistics = {"running_mean": running_mean, "running_var": running_var}
        return self._weighed(made, weight=weight, bias=bias, **statistics)

    def layer_norm(
        self,
        x: str,
        normalized_shape: Sequence[int],
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        eps: float = 1e-5,
    ) -> str:
        self._own_both(weight, bias)
        made = self.assembler.layer_norm(x, len(normalized_shape), self.where, eps)
        return self._weighed(made, weight=weight, bias=bias)

    def group_norm(
        self,
        x: str,
        num_groups: int,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        eps: float = 1e-5,
    ) -> str:
        self._own_both(weight, bias)
        made = self.assembler.group_norm(x, num_groups, self.where, eps)
        return self._weighed(made, weight=weight, bias=bias)

    def _own_both(self, weight: Tensor | None, bias: Tensor | None) -> None:
        if weight is None or bias is None:
            raise NetworkError(f"{self.where} learns no scale or no shift; let it learn both")
        self._own(weight, bias)

    def linear(self, x: str, weight: Tensor, bias: Tensor | None = None) -> str:
        self._own(weight, bias)
        out_features, in_features = weight.shape
        made = self.assembler.linear(x, in_features, out_features, bias is not None, self.where)
        return self._weighed(made, weight=weight, bias=bias)

    def add(self, x: Any, other: Any, alpha: float = 1) -> str:
        if not isinstance(x, str):
            if alpha != 1:
                raise NetworkError(
                    f"{self.where} adds a multiple of a tensor to a constant; multiply it before"
                )
            x, other = other, x
        if isinstance(other, str):
            return self.assembler.add([x, self.assembler.affine(other, self.where, alpha)], self.where)
        if isinstance(other, Tensor):
            self._own_constant(other, alpha)
            return self._weighed(self.assembler.channel_shift(x, tuple(other.shape), self.where), bias=other)
        return self.assembler.affine(x, self.where, offset=alpha * other)

    def subtract(self, x: Any, other: Any, alpha: float = 1) -> str:
        if isinstance(x, str) and not isinstance(other, Tensor):
            return self.add(x, other, -alpha)
        if isinstance(x, int | float) and isinstance(other, str):
            return self.assembler.affine(other, self.where, -alpha, x)
        raise NetworkError(f"{self.where} subtracts a constant that it learns; add one instead")

    def multiply(self, x: Any, other: Any) -> str:
        if not isinstance(x, str):
            x, other = other, x
        if isinstance(other, str):
            return self.assembler.multiply(x, other, self.where)
        if isinstance(other, Tensor):
            self._own_constant(other, 1)
            return self._weighed(
                self.assembler.channel_scale(x, tuple(other.shape), self.where), weight=other
            )
        return self.assembler.affine(x, self.where, other)

    def divide(self, x: Any, other: Any) -> str:
        if not isinstance(x, str) or not isinstance(other, int | float) or other == 0:
            raise NetworkError(f"{self.where} divides by a tensor; only division by a number can be read")
        return self.assembler.affine(x, self.where, 1 / other)

    def negate(self, x: str) -> str:
        return self.assembler.affine(x, self.where, -1)

    def _own_constant(self, constant: Tensor, alpha: float) -> None:
        held = constant if constant._base is None else constant._base  # of a parameter that was reshaped
        if not isinstance(held, nn.Parameter) or held.numel() != constant.numel() or alpha != 1:
            raise NetworkError(
                f"{self.where} has a constant tensor that is no parameter, or a multiple of one; make it an "
                "nn.Parameter"
            )
        self._own(held)

    def concat(self, tensors: Sequence[Any], dim: int = 0) -> str:
        if dim not in (1, 1 - self.value.dim()):
            raise NetworkError(
                f"{self.where} joins along axis {dim}; only the channels, axis 1, can be joined"
            )
        if not all(isinstance(x, str) for x in tensors):
            raise NetworkError(f"{self.where} joins a constant; only tensors of the image can be joined")
        return self.assembler.concat(list(tensors), self.where)

    def split(self, x: str, split_size_or_sections: Any, dim: int = 0) -> tuple[str, ...]:
        self._channels(x, dim)
        starts, found = 0, []
        for part in self.value:
            found.append(self.assembler.slice(x, starts, part.shape[1], self.where))
            starts += part.shape[1]
        return tuple(found)

    def narrow(self, x: str, dim: int, start: int, length: int) -> str:
        start %= self._channels(x, dim)
        return self.assembler.slice(x, start, length, self.where)

    def item(self, x: Found, index: Any) -> str:
        """One of several tensors, or the channels that a slice takes."""
        if isinstance(x, tuple):
            if not isinstance(index, int):
                raise NetworkError(f"{self.where} takes several tensors out of several; take them one by one")
            return x[index]
        _, channels, *others = (*(index if isinstance(index, tuple) else (index,)), slice(None))
        everything = slice(None)
        first, *_ = index if isinstance(index, tuple) else (index,)
        rest_is_whole = all(one is Ellipsis or one == everything for one in (first, *others))
        if not rest_is_whole or not isinstance(channels, slice) or channels.step not in (None, 1):
            raise NetworkError(f"{self.where} takes {index}; only a run of channels, x[:, a:b], can be taken")
        start, end, _ = channels.indices(self._channels(x, 1))
        return self.assembler.slice(x, start, end - start, self.where)

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

    def pad(self, x: str, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> str:
        if mode != "constant":
            raise NetworkError(f"{self.where} pads with '{mode}'; only constants can be read")
        left, right, top, bottom, *others = (*pad, 0, 0)[: max(len(pad), 4)]
        if any(others):
            raise NetworkError(f"{self.where} pads channels or images; only height and width can be padded")
        return self.assembler.pad(x, (top, left, bottom, right), value or 0.0, self.where)

    def adaptive_average_pool(self, x: str, output_size: Any) -> str:
        height, width = self.value.shape[2:]
        if height != width:
            raise NetworkError(f"{self.where} pools to {height} x {width}; only square maps can be read")
        return self.assembler.adaptive_average_pool(x, height, self.where)

    def adaptive_max_pool(self, x: str, output_size: Any, return_indices: bool = False) -> str:
        if tuple(self.value.shape[2:]) != (1, 1):
            raise NetworkError(
                f"{self.where} pools to {output_size}; only a maximum over the whole map can be"
            )
        size = self.assembler.shape(x)[-1]
        return self.assembler.pool(x, "max", Window(size, 1, 0), self.where, False, False)

    def mean(self, x: str, dim: Any = None, keepdim: bool = False) -> str:
        axes = [dim] if isinstance(dim, int) else dim or range(len(self.assembler.shape(x)) + 1)
        return self.assembler.mean(x, [self._axis(x, axis) for axis in axes], keepdim, self.where)

    def clamp(self, x: str, min: float | None = None, max: float | None = None) -> str:  # noqa: A002
        if min != 0 or not isinstance(max, int | float | None):
            raise NetworkError(f"{self.where} clips to {min} and {max}; only from 0 on can be read")
        return self.assembler.clip_from_zero(x, max, self.where)

    def hardtanh(self, x: str, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> str:
        return self.clamp(x, min_val, max_val)

    def leaky_relu(self, x: str, negative_slope: float = 0.01, inplace: bool = False) -> str:
        return self.assembler.activation(x, "leaky-relu", self.where, negative_slope)

    def elu(self, x: str, alpha: float = 1.0, inplace: bool = False) -> str:
        if alpha != 1:
            raise NetworkError(f"{self.where} has alpha {alpha:g}; only 1 can be read")
        return self.assembler.activation(x, "elu", self.where)

    def gelu(self, x: str, approximate: str = "none") -> str:
        return self.assembler.activation(x, "gelu-tanh" if approximate == "tanh" else "gelu", self.where)

    def softmax(self, x: str, dim: int | None = None, *_: Any, **__: Any) -> str:
        if dim is None:
            raise NetworkError(f"{self.where} has no axis; name the channels, dim=1")
        return self.assembler.softmax(x, self._axis(x, dim), self.where)

    def channel_shuffle(self, x: str, groups: int) -> str:
        return self.assembler.channel_shuffle(x, groups, self.where)

    def permute(self, x: str, *dims: Any) -> str:
        order = dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims
        return self.assembler.permute(x, [self._axis(x, dim) for dim in order[1:]], self.where)

    def transpose(self, x: str, dim0: int, dim1: int) -> str:
        order = list(range(len(self.assembler.shape(x))))
        first, second = self._axis(x, dim0), self._axis(x, dim1)
        order[first], order[second] = order[second], order[first]
        return self.assembler.permute(x, order, self.where)

    def reshape(self, x: str, *_: Any, **__: Any) -> str:
        return self.assembler.reshape(x, tuple(self.value.shape[1:]), self.where)

    def expand(self, x: str, *_: Any) -> str:
        return self.assembler.expand(x, tuple(self.value.shape[1:]), self.where)

    def passed(self, x: str, *_: Any, **__: Any) -> str:
        return x
