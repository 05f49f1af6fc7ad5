"""Moments of activations of a unit normal: what a convolution behind one receives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from math import erf, exp, log1p, pi, sqrt, tanh

from ..graph import Function


@dataclass(frozen=True, slots=True)
class Moments:
    """Of f(x), x ~ N(0,1): E f^2, (E f)^2, E f'^2 and E |f'|; and how the first two bend when x grows
    heavy tails, x ~ N(0, r) with mean r of one: by var(r) / 4 each, 2 (E f^2)'' and -4 E f (E f)''."""

    second: float
    squared_mean: float
    squared_slope: float
    slope: float
    second_gain: float
    squared_mean_loss: float

    @property
    def variance(self) -> float:
        return self.second - self.squared_mean

    @property
    def growth(self) -> float:
        """Factor by which 1 - c grows, c the correlation of two inputs that hardly differ."""
        return self.squared_slope / self.variance

    def averaged(self, positions: int) -> Moments:
        """Of the mean over so many independent positions."""
        return replace(
            self,
            second=self.squared_mean + self.variance / positions,
            squared_slope=self.squared_slope / positions,
        )


IDENTITY = Moments(1.0, 0.0, 1.0, 1.0, 0.0, 0.0)


def _homogeneous(second: float, squared_mean: float, slope: float) -> Moments:
    """Of an f that scales with x: E f^2 grows as r, E f as its root."""
    return Moments(second, squared_mean, slope, slope, 0.0, squared_mean)


RELU = _homogeneous(1 / 2, 1 / (2 * pi), 1 / 2)

_SMOOTH: dict[Function, Callable[[float], float]] = {
    "swish": lambda x: x / (1 + exp(-x)),
    "elu": lambda x: x if x > 0 else exp(x) - 1,
    "mish": lambda x: x * tanh(log1p(exp(x))),
    "gelu": lambda x: x * (1 + erf(x / sqrt(2))) / 2,
    "gelu-tanh": lambda x: x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2,
    "tanh": tanh,
    "sigmoid": lambda x: 1 / (1 + exp(-x)),
    "hard-swish": lambda x: x * min(max(x + 3, 0.0), 6.0) / 6,
    "hard-sigmoid": lambda x: min(max(x + 3, 0.0), 6.0) / 6,
}
_STEP, _END, _BEND = 1 / 128, 8.0, 0.1


@lru_cache(maxsize=16)
def moments(function: Function, slope: float = 0.0) -> Moments:
    """The moments of an activation, closed for ReLU (6 is six standard deviations away), else integrated;
    `slope`: of a leaky ReLU below nought."""
    if function in ("relu", "relu6"):
        return RELU
    if function == "leaky-relu":
        half, squared_mean = (1 + slope**2) / 2, (1 - slope) ** 2 / (2 * pi)
        return Moments(half, squared_mean, half, (1 + abs(slope)) / 2, 0.0, squared_mean)
    f = _SMOOTH[function]
    mean, second = _mean(f), _mean(lambda x: f(x) ** 2)
    bend_of_mean, bend_of_second = (
        (_mean(g, 1 + _BEND) - 2 * _mean(g) + _mean(g, 1 - _BEND)) / _BEND**2
        for g in (f, lambda x: f(x) ** 2)
    )

    def derivative(x: float) -> float:
        return (f(x + _STEP / 2) - f(x - _STEP / 2)) / _STEP

    return Moments(
        second,
        mean**2,
        _mean(lambda x: derivative(x) ** 2),
        _mean(lambda x: abs(derivative(x))),
        2 * bend_of_second,
        -4 * mean * bend_of_mean,
    )


def _mean(f: Callable[[float], float], variance: float = 1.0) -> float:
    """E f(x), x ~ N(0, variance)."""
    deviation = sqrt(variance)
    points = (index * _STEP - _END for index in range(int(2 * _END / _STEP) + 1))
    return sum(f(x * deviation) * exp(-x * x / 2) for x in points) / sqrt(2 * pi) * _STEP


@lru_cache(maxsize=64)
def rectified_maximum(positions: int) -> Moments:
    """Of the largest of so many independent normals, rectified: a max pool behind a ReLU."""
    others = positions - 1

    def moment(power: int) -> float:
        # The density of the largest is that of each times the chance that all others are smaller.
        return _mean(lambda x: max(x, 0.0) ** power * positions * ((1 + erf(x / sqrt(2))) / 2) ** others)

    return _homogeneous(moment(2), moment(1) ** 2, 1 - 0.5**positions)
