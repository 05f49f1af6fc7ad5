"""Crops that change the size of an image, by Pillow."""

from __future__ import annotations

from math import exp, log
from typing import Any

import numpy as np

from ...errors import UserError
from .data_set import Pixels

_SHARE = 0.875
"""Of the shorter side, what a central crop of 224 leaves of an image resized to 256."""
_AREA, _RATIO = (0.08, 1.0), 4 / 3
_TRIES = 10


def pillow() -> Any:
    """Pillow's image module; raises UserError where it is not installed."""
    try:
        from PIL import Image
    except ImportError:
        raise UserError("Pillow is missing; install it with: pip install 'zenbench[train]'") from None
    return Image


def central(image: Any, size: int) -> Pixels:
    """The middle square of an image, resized: how networks for ImageNet are tested."""
    width, height = image.size
    side = _SHARE * min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return _resized(image, size, (left, top, left + side, top + side))


def random_area(image: Any, size: int, random: np.random.Generator) -> Pixels:
    """A part of 8 to 100 % of the area, its sides 3:4 to 4:3, resized (Szegedy et al., arXiv 1409.4842)."""
    width, height = image.size
    for _ in range(_TRIES):
        area = random.uniform(*_AREA) * width * height
        ratio = exp(random.uniform(-log(_RATIO), log(_RATIO)))
        wide, high = (area * ratio) ** 0.5, (area / ratio) ** 0.5
        if wide <= width and high <= height:
            left, top = random.uniform(0, width - wide), random.uniform(0, height - high)
            return _resized(image, size, (left, top, left + wide, top + high))
    return central(image, size)


def _resized(image: Any, size: int, box: tuple[float, float, float, float]) -> Pixels:
    return np.asarray(image.resize((size, size), pillow().Resampling.BICUBIC, box=box), np.uint8)
