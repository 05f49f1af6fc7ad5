"""Weights of a graph as arrays, and batch norm folded into the convolution before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...zen.graph import (
    BatchNorm,
    ChannelScale,
    ChannelShift,
    Conv,
    Graph,
    GroupNorm,
    LayerNorm,
    Linear,
)

Array = NDArray[np.float32]


@dataclass(frozen=True)
class FoldedConv:
    """Weight and bias of a convolution or linear layer, batch norm folded in, and the tensor it ends in."""

    weight: Array
    bias: Array
    output: str

    def parts(self) -> Iterator[tuple[str, Array]]:
        yield from (("weight", self.weight), ("bias", self.bias))


@dataclass(frozen=True)
class Scale:
    """Of a norm that is folded into no convolution: scale and shift, (C, 1, 1) or, of a layer norm, (C,)."""

    scale: Array
    shift: Array
    output: str

    def parts(self) -> Iterator[tuple[str, Array]]:
        yield from (("scale", self.scale), ("shift", self.shift))


@dataclass(frozen=True)
class Constants:
    """What a tensor is multiplied by or what is added to it, in a shape that broadcasts."""

    values: Array
    output: str

    def parts(self) -> Iterator[tuple[str, Array]]:
        yield "values", self.values


Weights = FoldedConv | Scale | Constants


def fold(graph: Graph, state: Mapping[str, Array]) -> dict[str, Weights]:
    """Op name -> kernel, for every convolution and linear layer of the graph, -> scale for every norm that
    has none to fold into, and -> constants.

    `state` holds torch's names: `<op>.weight`, `<op>.bias`, `<op>.running_mean`, `<op>.running_var`.
    Folding is exact in real numbers: w' = w g / sqrt(v + eps), b' = (b - m) g / sqrt(v + eps) + beta.
    """
    readers = Counter(name for op in graph.ops for name in op.inputs)
    convolutions = {op.name for op in graph.ops if isinstance(op, Conv) and readers[op.name] == 1}
    norms = {
        op.inputs[0]: op for op in graph.ops if isinstance(op, BatchNorm) and op.inputs[0] in convolutions
    }
    folded: dict[str, Weights] = {}
    for op in graph.ops:
        if isinstance(op, BatchNorm) and op.inputs[0] not in convolutions:
            scale, shift = _scale_and_shift(op, state)
            folded[op.name] = Scale(_per_channel(scale), _per_channel(shift), op.name)
        if isinstance(op, LayerNorm | GroupNorm):
            scale, shift = (_get(state, f"{op.name}.{part}") for part in ("weight", "bias"))
            if isinstance(op, GroupNorm):
                scale, shift = _per_channel(scale), _per_channel(shift)
            folded[op.name] = Scale(scale, shift, op.name)
        if isinstance(op, ChannelScale | ChannelShift):
            part = "weight" if isinstance(op, ChannelScale) else "bias"
            folded[op.name] = Constants(_get(state, f"{op.name}.{part}"), op.name)
        if not isinstance(op, Conv | Linear):
            continue
        weight = _get(state, f"{op.name}.weight")
        bias = _get(state, f"{op.name}.bias") if op.bias else np.zeros(op.shape[0], np.float32)
        output = op.name
        if (norm := norms.get(op.name)) is not None:
            scale, shift = _scale_and_shift(norm, state)
            weight = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
            bias = bias * scale + shift
            output = norm.name
        folded[op.name] = FoldedConv(
            np.ascontiguousarray(weight, np.float32), bias.astype(np.float32), output
        )
    return folded


def _scale_and_shift(norm: BatchNorm, state: Mapping[str, Array]) -> tuple[Array, Array]:
    variance = _get(state, f"{norm.name}.running_var") + norm.epsilon
    scale = _get(state, f"{norm.name}.weight") / np.sqrt(variance)
    return scale, _get(state, f"{norm.name}.bias") - _get(state, f"{norm.name}.running_mean") * scale


def _per_channel(values: Array) -> Array:
    return np.ascontiguousarray(values.reshape(-1, 1, 1), np.float32)


def _get(state: Mapping[str, Array], name: str) -> Array:
    try:
        return state[name]
    except KeyError:
        raise UserError(f"the weights hold no '{name}'; they belong to another network") from None


def state_arrays(module: Any) -> Mapping[str, Array]:
    """A torch module's parameters and buffers as arrays."""
    return {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}
