"""Moments of activations of a unit normal: what a convolution behind one receives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from math import erf, exp, pi, sqrt

from ..graph import Function


@dataclass(frozen=True, slots=True)
class Moments:
    """Of f(x), x ~ N(0,1): E f^2, (E f)^2, E f'^2 and E |f'|."""

    second: float
    squared_mean: float
    squared_slope: float
    slope: float

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


IDENTITY = Moments(1.0, 0.0, 1.0, 1.0)
RELU = Moments(1 / 2, 1 / (2 * pi), 1 / 2, 1 / 2)

_SMOOTH: dict[Function, Callable[[float], float]] = {
    "swish": lambda x: x / (1 + exp(-x)),
    "sigmoid": lambda x: 1 / (1 + exp(-x)),
    "hard-swish": lambda x: x * min(max(x + 3, 0.0), 6.0) / 6,
    "hard-sigmoid": lambda x: min(max(x + 3, 0.0), 6.0) / 6,
}
_STEP, _END = 1 / 256, 8.0


@lru_cache(maxsize=16)
def moments(function: Function) -> Moments:
    """The moments of an activation, closed for ReLU (6 is six standard deviations away), else integrated."""
    if function in ("relu", "relu6"):
        return RELU
    f = _SMOOTH[function]
    mean = second = squared_slope = slope = 0.0
    for index in range(int(2 * _END / _STEP) + 1):
        x = index * _STEP - _END
        density = exp(-x * x / 2) / sqrt(2 * pi) * _STEP
        value, derivative = f(x), (f(x + _STEP / 2) - f(x - _STEP / 2)) / _STEP
        mean += density * value
        second += density * value * value
        squared_slope += density * derivative * derivative
        slope += density * abs(derivative)
    return Moments(second, mean * mean, squared_slope, slope)


@lru_cache(maxsize=64)
def rectified_maximum(positions: int) -> Moments:
    """Of the largest of so many independent normals, rectified: a max pool behind a ReLU."""
    first = second = 0.0
    for index in range(int(_END / _STEP) + 1):
        x = index * _STEP
        below = (1 + erf(x / sqrt(2))) / 2
        weight = positions * below ** (positions - 1) * exp(-x * x / 2) / sqrt(2 * pi) * _STEP
        first += weight * x
        second += weight * x * x
    passing = 1 - 0.5**positions
    return Moments(second, first * first, passing, passing)
