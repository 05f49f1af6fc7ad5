"""ArrayImages: images in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .crops import pillow, random_area
from .data_set import Labels, Pixels, Random


@dataclass(frozen=True)
class ArrayImages:
    """Images of one size: pixels of shape (N, height, width, channels)."""

    array: Pixels
    labels: Labels

    def size(self) -> tuple[int, int]:
        return self.array.shape[1], self.array.shape[2]

    def pixels(self, indices: Labels, size: int, random: Random | None = None) -> Pixels:
        if random is None:
            return self.array[indices]
        channels = self.array.shape[-1]
        images = (pillow().fromarray(self.array[index].squeeze()) for index in indices)
        areas = [random_area(image, size, random) for image in images]
        return np.stack(areas).reshape(len(indices), size, size, channels)
