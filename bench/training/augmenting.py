"""A batch for training: cropped, flipped, erased and mixed at random, then normalised."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..data_sets.data_set import Pixels, Random
from .recipe import TrainingRecipe


def normalised(pixels: Pixels, mean: Tensor, std: Tensor) -> Tensor:
    """Images of shape (N, H, W, 1 or 3) as (N, 3, H, W), channels last in memory; mean and std of shape
    (3, 1, 1), of values from 0 to 1."""
    images = torch.from_numpy(pixels).to(mean.device, non_blocking=True).permute(0, 3, 1, 2)
    return ((images.float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


def moved(pixels: Pixels, recipe: TrainingRecipe, random: Random) -> Pixels:
    """Every image shifted by up to an eighth of its size and mirrored at random, with black where nothing
    is known."""
    count, height, width, _ = pixels.shape
    rows, columns = np.arange(height)[None], np.arange(width)[None]
    if recipe.flip:
        columns = np.where(random.random((count, 1)) < 0.5, width - 1 - columns, columns)
    if recipe.crop == "pad":
        pad = height // 8
        pixels = np.pad(pixels, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
        rows = rows + random.integers(0, 2 * pad + 1, (count, 1))
        columns = columns + random.integers(0, 2 * pad + 1, (count, 1))
    rows, columns = (np.broadcast_to(one, (count, one.shape[1])) for one in (rows, columns))
    return pixels[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]


def erase(images: Tensor, share: float, random: Random) -> None:
    """Sets a rectangle of 2 to 33 % of the area to the mean, in that share of the normalised images (random
    erasing, arXiv 1708.04896); in place."""
    height, width = images.shape[2:]
    for index in np.flatnonzero(random.random(len(images)) < share):
        area = random.uniform(0.02, 1 / 3) * height * width
        ratio = np.exp(random.uniform(np.log(0.3), np.log(1 / 0.3)))
        rows, columns = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
        if 0 < rows < height and 0 < columns < width:
            top, left = random.integers(0, height - rows), random.integers(0, width - columns)
            images[index, :, top : top + rows, left : left + columns] = 0


def mixed(images: Tensor, recipe: TrainingRecipe, random: Random) -> tuple[Tensor, Tensor, float]:
    """Images blended with others of the batch (mixup, arXiv 1710.09412), which ones, and their own share."""
    share = float(random.beta(recipe.mixup, recipe.mixup)) if recipe.mixup else 1.0
    order = torch.from_numpy(random.permutation(len(images)) if recipe.mixup else np.arange(len(images)))
    order = order.to(images.device)
    return (images if share == 1.0 else share * images + (1 - share) * images[order]), order, share
