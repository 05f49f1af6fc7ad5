"""Weights for files that are only timed, drawn without running the network.

A latency does not depend on the values, unless they overflow or become subnormal. So mean and variance of
every tensor are followed in closed form, as if it were normal, and a layer's weights are scaled to the
second moment of its input (He et al. 2015, arXiv 1502.01852, section 2.2). Half of a layer's variance comes
from its biases, which are the same whatever its input: an error of the closed form dies out from layer to
layer instead of growing, as it would through swishes. Statistics of a real batch, as an exported network has
them, took most of the time of a profile and all of torch's memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from math import erf, exp, pi, prod, sqrt
from typing import NamedTuple

import numpy as np
from typing_extensions import assert_never

from ...zen.graph import (
    INPUT,
    Activation,
    Add,
    Affine,
    BatchNorm,
    ChannelScale,
    ChannelShift,
    ChannelShuffle,
    Concat,
    Conv,
    GlobalAveragePool,
    Graph,
    GroupNorm,
    GroupSoftmax,
    LayerNorm,
    Linear,
    Multiply,
    Operation,
    Pool,
    Priced,
    Slice,
    Unflatten,
)
from .weights import Array

_TINY = 1e-12
_POOLED = 0.1
"""What an average over a map leaves of the variance, about."""
_HALF = np.float32(sqrt(0.5))
"""The factor of a half in variance."""
_DRAWN, _STEP = 65_521, 7_919
"""So many normal numbers serve all layers, each from another place on; primes, so that no two channels are
equal."""


class _Spread(NamedTuple):
    """Mean and variance of a tensor's values."""

    mean: float
    variance: float

    @property
    def second_moment(self) -> float:
        return self.mean**2 + self.variance


_STANDARD = _Spread(0.0, 1.0)
_GATE = _Spread(0.5, 0.04)
"""Of a sigmoid, soft or hard, of standard normal numbers."""


def timing_weights(graph: Graph) -> Mapping[str, Array]:
    """Weights by torch's names; the same for equal graphs."""
    spreads = {INPUT: _STANDARD}
    state: dict[str, Array] = {}
    for place, op in enumerate(graph.ops):
        given = [spreads[name] for name in op.inputs]
        spreads[op.name] = _spread(op, given)
        if isinstance(op, Conv | Linear):
            shape = _shape(op)
            scale = (_HALF if op.bias else 1) / sqrt(prod(shape[1:]) * given[0].second_moment)
            state[f"{op.name}.weight"] = np.float32(scale) * _normal(shape, place)
            if op.bias:
                state[f"{op.name}.bias"] = _HALF * _normal(shape[:1], place + 1)
        elif isinstance(op, BatchNorm | LayerNorm | GroupNorm):
            state[f"{op.name}.weight"] = np.full(op.shape[0], _HALF)
            state[f"{op.name}.bias"] = _HALF * _normal(op.shape[:1], place)
            if isinstance(op, BatchNorm):
                for name, value in zip(("running_mean", "running_var"), given[0], strict=True):
                    state[f"{op.name}.{name}"] = np.full(op.shape[0], value, np.float32)
        elif isinstance(op, ChannelScale | ChannelShift):
            count = (1 if op.is_single else op.shape[0], *(1 for _ in op.shape[1:]))
            name, value = ("weight", 1) if isinstance(op, ChannelScale) else ("bias", 0)
            state[f"{op.name}.{name}"] = np.full(count, value, np.float32)
    return state


def _spread(op: Operation, given: list[_Spread]) -> _Spread:
    """Of an operation's output, by those of its inputs."""
    first = given[0]
    match op:
        case Conv() | Linear() | BatchNorm() | LayerNorm() | GroupNorm():
            return _STANDARD
        case Activation(function="sigmoid" | "hard-sigmoid"):
            return _GATE
        case Activation(function="tanh"):
            return _Spread(0.0, 0.4)
        case Activation():
            return _rectified(first, is_swish=op.function not in ("relu", "relu6", "leaky-relu", "elu"))
        case Affine():
            return _Spread(op.factor * first.mean + op.offset, op.factor**2 * first.variance)
        case Add():
            return _Spread(sum(one.mean for one in given), sum(one.variance for one in given))
        case Multiply():
            mean = prod(one.mean for one in given)
            return _Spread(mean, prod(one.second_moment for one in given) - mean**2)
        case GroupSoftmax():
            return _Spread(1 / op.groups, 0.04)
        case GlobalAveragePool():
            return _Spread(first.mean, _POOLED * first.variance)
        case ChannelScale() | ChannelShift() | Pool() | Concat() | Slice() | ChannelShuffle() | Unflatten():
            return first
        case Priced():
            raise op.refusal()
        case _:
            assert_never(op)


def _rectified(given: _Spread, is_swish: bool) -> _Spread:
    """Of max(x, 0) for normal x; a swish has about half its mean and 0.72 of its second moment."""
    mean, deviation = given.mean, sqrt(max(given.variance, _TINY))
    below = 0.5 * (1 + erf(mean / deviation / sqrt(2)))
    density = exp(-0.5 * (mean / deviation) ** 2) / sqrt(2 * pi)
    rectified = mean * below + deviation * density
    second = given.second_moment * below + mean * deviation * density
    if is_swish:
        rectified, second = 0.52 * rectified, 0.72 * second
    return _Spread(rectified, second - rectified**2)


def _shape(op: Conv | Linear) -> tuple[int, ...]:
    if isinstance(op, Linear):
        return op.out_features, op.in_features
    return op.out_channels, op.in_channels // op.groups, op.kernel, op.kernel


def _normal(shape: tuple[int, ...], place: int) -> Array:
    """Other numbers at every place: layers that are alike would amplify one direction more and more."""
    return np.resize(np.roll(_numbers(), _STEP * place), shape)


@cache
def _numbers() -> Array:
    return np.random.default_rng(0).standard_normal(_DRAWN, np.float32)
