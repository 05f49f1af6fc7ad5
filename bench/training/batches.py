"""Batches of a training: which images, in which order, and how they are changed at random.

All follows from the seed, the epoch and the step, so a training goes on at any step with the same images.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...errors import UserError
from ...zen.network import Network
from ..data_sets.data_set import DataSet, Labels, check_size
from ..data_sets.statistics import ChannelStatistics
from .augmenting import erase, mixed, moved, normalised
from .auto_augment import auto_augmented
from .group import ProcessGroup
from .recipe import TrainingRecipe


@dataclass(frozen=True)
class Batch:
    """Normalised images of shape (N, 3, H, W) and their labels. With mixup an image is `share` its own and
    the rest of the one at `others`."""

    images: Tensor
    labels: Tensor
    others: Tensor
    share: float


class Batches:
    """The batches of one process of a group; `statistics` are those of the training images."""

    def __init__(
        self,
        data: DataSet,
        network: Network,
        recipe: TrainingRecipe,
        seed: int,
        device: str,
        group: ProcessGroup,
    ) -> None:
        for images in (data.train, data.test):
            check_size(images, network.resolution, data.name)
        if data.classes > network.classes:
            raise UserError(
                f"{data.name} has {data.classes} classes, but the network tells {network.classes} apart; "
                f"give --classes {data.classes}"
            )
        self._data, self._recipe, self._seed, self._group = data, recipe, seed, group
        self._resolution = network.resolution
        total = len(data.train.labels)
        self._images = min(recipe.images_per_epoch or total, total)
        self.per_epoch = self._images // recipe.batch
        if not self.per_epoch:
            raise UserError(
                f"an epoch has {self._images:,} images of {data.name}, fewer than a batch of "
                f"{recipe.batch:,}; give --batch {self._images} or less"
            )
        if recipe.batch < 2 * group.size:
            raise UserError(
                f"a batch of {recipe.batch} is too small for {group.size} processes; "
                f"give --batch {2 * group.size} or more"
            )
        self.statistics = ChannelStatistics.of(data.train, network.resolution)
        both = (self.statistics.mean, self.statistics.std)
        self._tensors = [torch.tensor(one).view(3, 1, 1).to(device) for one in both]
        self._order: tuple[int, Labels] = (-1, np.empty(0, np.int64))
        self._ahead = ThreadPoolExecutor(1) if data.train.size() is None else None
        self._next: dict[tuple[int, int], Future[Batch]] = {}

    def batch(self, epoch: int, step: int) -> Batch:
        """This process's share of the batch. Where images lie in files, the next one is made meanwhile."""
        if self._ahead is None:
            return self._made(epoch, step)
        waiting = self._next.pop((epoch, step), None) or self._ahead.submit(self._made, epoch, step)
        following = (epoch, step + 1) if step + 1 < self.per_epoch else (epoch + 1, 0)
        self._next = {following: self._ahead.submit(self._made, *following)}
        return waiting.result()

    def _made(self, epoch: int, step: int) -> Batch:
        recipe = self._recipe
        whole = self._numbers(epoch)[step * recipe.batch : (step + 1) * recipe.batch]
        numbers = whole[self._group.rank :: self._group.size]
        random = np.random.default_rng([self._seed, epoch, step, self._group.rank])
        area = random if recipe.crop == "area" else None
        pixels = moved(self._data.train.pixels(numbers, self._resolution, area), recipe, random)
        if recipe.auto_augment != "none":
            pixels = auto_augmented(pixels, recipe.auto_augment, random)
        images = self.normalised(pixels)
        if recipe.erase:
            erase(images, recipe.erase, random)
        labels = torch.from_numpy(self._data.train.labels[numbers]).to(images.device)
        images, others, share = mixed(images, recipe, random)
        return Batch(images, labels, others, share)

    def normalised(self, pixels: np.ndarray) -> Tensor:
        mean, std = self._tensors
        return normalised(pixels, mean, std)

    def _numbers(self, epoch: int) -> Labels:
        """The numbers of the epoch's images."""
        if self._order[0] != epoch:
            order = np.random.default_rng([self._seed, epoch]).permutation(len(self._data.train.labels))
            self._order = epoch, order[: self._images]
        return self._order[1]
