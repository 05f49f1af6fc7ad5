"""Windows of convolutions and pools along one axis of a map: how many there are and where they lie."""

from __future__ import annotations

from functools import lru_cache

Padding = tuple[int, int, int, int]
"""Rows above, columns to the left, rows below, columns to the right of a map."""


def reach_of(kernel: int, dilation: int = 1) -> int:
    """Places from a window's first tap to its last."""
    return (kernel - 1) * dilation + 1


def usual_ends(size: int, reach: int, stride: int) -> tuple[int, int]:
    """The padding before and behind with which the windows are ceil(size / stride), whatever they reach.

    It is (reach - 1) / 2 at both ends, and behind the map more where the last window reaches beyond.
    """
    before = (reach - 1) // 2
    return before, max(before, (size - 1) // stride * stride + reach - size - before)


def fitted(size: int, reach: int, stride: int, before: int, after: int) -> tuple[int, int]:
    """How many windows fit, and the padding behind without what none of them reaches.

    As much behind as before stays, reached or not: the same padding on every side is what runtimes like.
    """
    count = (size + before + after - reach) // stride + 1
    needed = (count - 1) * stride + reach - size - before
    return count, max(needed, min(after, before))


@lru_cache(maxsize=4096)
def tap_shares(
    kernel: int, size: int, stride: int, before: int, count: int, dilation: int = 1
) -> tuple[float, ...]:
    """For each tap of a kernel along one axis, the share of the `count` windows in which it meets the map.

    The rest falls on zero padding: a 7x7 kernel on a 3x3 image has 44 % of its taps there.
    """
    return tuple(
        sum(0 <= window * stride + tap * dilation - before < size for window in range(count)) / count
        for tap in range(kernel)
    )
