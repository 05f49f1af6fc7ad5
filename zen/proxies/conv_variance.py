"""How much a convolution with N(0,1) weights amplifies the variance of its input, zero padding included.

Over one axis, a tap falls on the image at the share f of the output positions; S1 = (sum f)^2 and
S2 = (sum f^2)^2 count the taps of both axes. An input of second moment m and squared mean u a channel
gives, with n channels a group, the variance n (S1 m - S2 u).

That holds where the input is equally strong everywhere. It is not: the convolution that made it saw fewer
pixels at the border. There its window has taps outside, which lack the signal (m) but keep the channel's
mean, which batch norm takes away everywhere (u). The input's power at a place with n_x n_y taps inside is
so m n_x n_y - 2 u F_x F_y + u S2 with F = sum of f over the taps inside, over its mean; weighted by how
many outputs read the place, it takes the place of S1 m. The last convolution of the same kernel is all
that counts; going further back changes the next digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from statistics import fmean
from typing import NamedTuple

from ..windows import tap_shares
from .activations import Moments


class ConvGain(NamedTuple):
    """Per input channel of a group: taps on the image (both axes, weighted by the input's power), variance
    of the output, and how much of it a tail of one would add."""

    taps: float
    variance: float
    by_tail: float


@lru_cache(maxsize=65_536)
def conv_gain(kernel: int, size: int, stride: int, source: Moments, padded_before: bool) -> ConvGain:
    """The gain of a convolution; `padded_before`: its input comes from a padded one."""
    shares = _shares(kernel, size, stride)
    taps, squared_taps = sum(shares) ** 2, _sum_of_squares(shares) ** 2
    if padded_before and kernel > 1:
        taps *= _border_factor(kernel, size, stride, source)
    return ConvGain(
        taps,
        source.second * taps - source.squared_mean * squared_taps,
        source.second_gain * taps + source.squared_mean_loss * squared_taps,
    )


def _shares(kernel: int, size: int, stride: int) -> tuple[float, ...]:
    return tap_shares(kernel, size, stride, (kernel - 1) // 2, (size - 1) // stride + 1)


def _border_factor(kernel: int, size: int, stride: int, source: Moments) -> float:
    readers = _readers(kernel, size, stride)
    shares = _shares(kernel, size, 1)
    padding = (kernel - 1) // 2
    inside = [[tap for tap in range(kernel) if 0 <= place + tap - padding < size] for place in range(size)]
    taps = [float(len(seen)) for seen in inside]
    mean_taps = [sum(shares[tap] for tap in seen) for seen in inside]
    outside = source.squared_mean * _sum_of_squares(shares) ** 2
    power = source.second * _weighted(taps, readers) ** 2
    power += outside - 2 * source.squared_mean * _weighted(mean_taps, readers) ** 2
    return power / (source.second * fmean(taps) ** 2 - outside)


def _readers(kernel: int, size: int, stride: int) -> list[int]:
    """How many outputs read each place of one axis."""
    padding, outputs = (kernel - 1) // 2, (size - 1) // stride + 1
    return [
        sum(0 <= place + padding - output * stride < kernel for output in range(outputs))
        for place in range(size)
    ]


def _weighted(values: Sequence[float], weights: Sequence[int]) -> float:
    return sum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)


def _sum_of_squares(values: Sequence[float]) -> float:
    return sum(value * value for value in values)
