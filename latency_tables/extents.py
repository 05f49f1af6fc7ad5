"""Tensors of any rank as the square maps that a latency is known of: channels and size."""

from __future__ import annotations

from math import prod, sqrt

from ..zen.graph import Priced, Shape


def channels_and_size(shape: Shape) -> tuple[int, int]:
    """Of maps (C, H, W) and features (C,) their own; tokens (N, C) are a map of N places, and what has more
    axes is one of as many values."""
    if len(shape) == 3:
        channels, height, width = shape
        return channels, height if height == width else _root(height * width)
    *places, channels = shape or (1,)
    return channels, _root(prod(places))


def matrix_product(op: Priced) -> tuple[int, int, int]:
    """Channels read and written and size of the 1x1 convolution that has the MACs of an operation and gives
    as many values."""
    channels, size = channels_and_size(op.shape)
    return max(1, round(op.macs / (channels * size**2))), channels, size


def _root(places: int) -> int:
    return max(1, round(sqrt(places)))
