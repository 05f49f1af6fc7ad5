"""Channel statistics: by what images are normalised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .data_set import Images, Labels, Pixels

_MOST_IMAGES = 10_000
_AT_ONCE = 256


@dataclass(frozen=True)
class ChannelStatistics:
    """Mean and standard deviation of each of three channels, of values from 0 to 1."""

    mean: Sequence[float]
    std: Sequence[float]

    @staticmethod
    def of(images: Images, size: int) -> ChannelStatistics:
        """Over up to 10,000 of the images, always the same ones, rounded to four decimals."""
        numbers: Labels = np.random.default_rng(0).permutation(len(images.labels))[:_MOST_IMAGES]
        total, squares, count = np.zeros(3), np.zeros(3), 0
        for start in range(0, len(numbers), _AT_ONCE):
            values = images.pixels(numbers[start : start + _AT_ONCE], size).astype(np.float64) / 255
            total += values.sum((0, 1, 2))
            squares += (values**2).sum((0, 1, 2))
            count += values[..., 0].size
        mean = total / count
        std = np.sqrt(np.maximum(squares / count - mean**2, 1e-6))
        return ChannelStatistics(mean.round(4).tolist(), std.round(4).tolist())

    def normalised(self, pixels: Pixels) -> NDArray[np.float32]:
        """Images of shape (N, H, W, 1 or 3) as a network takes them: (N, 3, H, W)."""
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        images = (pixels.astype(np.float32) / 255 - mean) / std
        return np.ascontiguousarray(np.moveaxis(images, -1, 1))
