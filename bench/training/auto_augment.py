"""AutoAugment (Cubuk et al., arXiv 1805.09501): one of 25 pairs of operations an image, drawn at random."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from ..data_sets.crops import pillow
from ..data_sets.data_set import Pixels, Random

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Step = tuple[str, float, int]
"""An operation, its probability, and its strength from 0 to 9."""
_MOST = 9
_GREY = (128, 128, 128)
_SHIFT = 150 / 331
"""The largest shift, of an image's size."""


@cache
def policy(name: str) -> tuple[tuple[Step, Step], ...]:
    """The pairs of the policy `cifar` or `imagenet`."""
    texts = tomllib.loads(files(__package__).joinpath("auto_augment.toml").read_text("utf-8"))
    lines = [line.split(", ") for line in texts[name].strip().splitlines()]
    return tuple((_step(first), _step(second)) for first, second in lines)


def _step(text: str) -> Step:
    name, probability, strength = text.split()
    return name, float(probability), int(strength)


def auto_augmented(pixels: Pixels, name: str, random: Random) -> Pixels:
    """Images of shape (N, H, W, 1 or 3), each changed by a pair of the policy."""
    pairs, image_of = policy(name), pillow().fromarray
    changed = []
    for one in pixels:
        image = image_of(one.squeeze()).convert("RGB")
        for operation, probability, strength in pairs[random.integers(len(pairs))]:
            if random.random() < probability:
                image = _OPERATIONS[operation](image, strength / _MOST, random.choice((-1, 1)))
        changed.append(np.asarray(image)[..., : pixels.shape[-1]])
    return np.stack(changed)


def _affine(image: Any, *terms: float) -> Any:
    """x' = a x + b y + c, y' = d x + e y + f, with grey where nothing is known."""
    library = pillow()
    method = library.Transform.AFFINE
    return image.transform(image.size, method, terms, library.Resampling.BICUBIC, fillcolor=_GREY)


def _enhanced(name: str) -> Callable[[Any, float, int], Any]:
    def enhance(image: Any, strength: float, sign: int) -> Any:
        from PIL import ImageEnhance

        return getattr(ImageEnhance, name)(image).enhance(1 + 0.9 * strength * sign)

    return enhance


def _whole(name: str, value: Callable[[float], int] | None = None) -> Callable[[Any, float, int], Any]:
    def apply(image: Any, strength: float, sign: int) -> Any:
        from PIL import ImageOps

        return getattr(ImageOps, name)(image, *([] if value is None else [value(strength)]))

    return apply


_OPERATIONS: dict[str, Callable[[Any, float, int], Any]] = {
    "ShearX": lambda image, strength, sign: _affine(image, 1, 0.3 * strength * sign, 0, 0, 1, 0),
    "ShearY": lambda image, strength, sign: _affine(image, 1, 0, 0, 0.3 * strength * sign, 1, 0),
    "TranslateX": lambda image, strength, sign: _affine(
        image, 1, 0, _SHIFT * strength * sign * image.size[0], 0, 1, 0
    ),
    "TranslateY": lambda image, strength, sign: _affine(
        image, 1, 0, 0, 0, 1, _SHIFT * strength * sign * image.size[1]
    ),
    "Rotate": lambda image, strength, sign: image.rotate(30 * strength * sign, fillcolor=_GREY),
    **{name: _enhanced(name) for name in ("Color", "Contrast", "Sharpness", "Brightness")},
    "AutoContrast": _whole("autocontrast"),
    "Equalize": _whole("equalize"),
    "Invert": _whole("invert"),
    "Posterize": _whole("posterize", lambda strength: round(8 - 4 * strength)),
    "Solarize": _whole("solarize", lambda strength: round(256 - 256 * strength)),
}
