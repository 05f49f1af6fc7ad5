"""Inputs of an artifact: fixed random numbers, the same on every device, or a value that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import TensorSpec


def random_inputs(specs: Sequence[TensorSpec]) -> list[NDArray[Any]]:
    """Fixed numbers for every input without a value of its own: N(0,1), for bytes spread over their range.

    Wider integers are the sizes of such numbers, for they are indices more often than quantities.
    """
    random = np.random.default_rng(0)
    return [_filled(spec, random) for spec in specs]


def _filled(spec: TensorSpec, random: np.random.Generator) -> NDArray[Any]:
    if spec.value is not None:
        return np.full(spec.shape, spec.value, spec.dtype)
    return _fitted(random.standard_normal(spec.shape, np.float32), np.dtype(spec.dtype))


def _fitted(values: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind in "iu" and dtype.itemsize > 1:
        values = np.abs(values)
    if dtype.kind not in "iu" or dtype.itemsize > 1:
        return np.asarray(values).astype(dtype)
    # A byte stands for a number by a scale: three deviations fill the range as a calibrated input does.
    limits = np.iinfo(dtype)
    middle, reach = (limits.min + limits.max) / 2, (limits.max - limits.min) / 2
    spread: NDArray[Any] = np.clip(middle + reach / 3 * values, limits.min, limits.max).astype(dtype)
    return spread
