"""Weights of a graph as arrays, and batch norm folded into the convolution before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...zen.graph import BatchNorm, Conv, Graph, Linear

Array = NDArray[np.float32]
_BN_EPSILON = 1e-5


@dataclass(frozen=True)
class Kernel:
    """Weight and bias of a convolution or linear layer, batch norm folded in, and the tensor it ends in."""

    weight: Array
    bias: Array
    output: str


def fold(graph: Graph, state: Mapping[str, Array]) -> dict[str, Kernel]:
    """Op name -> kernel, for every convolution and linear layer of the graph.

    `state` holds torch's names: `<op>.weight`, `<op>.bias`, `<op>.running_mean`, `<op>.running_var`.
    Folding is exact in real numbers: w' = w g / sqrt(v + eps), b' = (b - m) g / sqrt(v + eps) + beta.
    """
    norms = {op.inputs[0]: op for op in graph.ops if isinstance(op, BatchNorm)}
    kernels: dict[str, Kernel] = {}
    for op in graph.ops:
        if not isinstance(op, Conv | Linear):
            continue
        weight = _get(state, f"{op.name}.weight")
        has_bias = isinstance(op, Linear) or op.bias
        bias = _get(state, f"{op.name}.bias") if has_bias else np.zeros(op.shape[0], np.float32)
        output = op.name
        if (norm := norms.get(op.name)) is not None:
            scale = _get(state, f"{norm.name}.weight") / np.sqrt(
                _get(state, f"{norm.name}.running_var") + _BN_EPSILON
            )
            weight = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
            bias = (bias - _get(state, f"{norm.name}.running_mean")) * scale + _get(
                state, f"{norm.name}.bias"
            )
            output = norm.name
        kernels[op.name] = Kernel(np.ascontiguousarray(weight, np.float32), bias.astype(np.float32), output)
    return kernels


def _get(state: Mapping[str, Array], name: str) -> Array:
    try:
        return state[name]
    except KeyError:
        raise UserError(f"the weights hold no '{name}'; they belong to another network") from None
