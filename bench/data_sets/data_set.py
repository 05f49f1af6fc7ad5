"""DataSet: labelled images, apart for training and for testing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]
Random = np.random.Generator


class Images(Protocol):
    """Labelled images, which may lie in memory or in files."""

    @property
    def labels(self) -> Labels: ...

    def size(self) -> tuple[int, int] | None:
        """Height and width; None where they differ from image to image, and are made what is asked for."""

    def pixels(self, indices: Labels, size: int, random: Random | None = None) -> Pixels:
        """The images of these numbers, of shape (N, size, size, channels), with 1 or 3 channels.

        With random numbers, a random area of each, resized. Raises UserError where one cannot be read.
        """


@dataclass(frozen=True)
class ImagePart:
    """Some of the images."""

    whole: Images
    indices: Labels

    @property
    def labels(self) -> Labels:
        return self.whole.labels[self.indices]

    def size(self) -> tuple[int, int] | None:
        return self.whole.size()

    def pixels(self, indices: Labels, size: int, random: Random | None = None) -> Pixels:
        return self.whole.pixels(self.indices[indices], size, random)


@dataclass(frozen=True)
class DataSet:
    """`name` as a user gave it. Labels are 0 to `classes` - 1."""

    name: str
    classes: int
    train: Images
    test: Images

    def holding_out(self, count: int) -> DataSet:
        """The training images without `count` of them, which take the place of the test images.

        Every n-th image is held out, so the same ones always are. Raises UserError where too few are left.
        """
        total = len(self.train.labels)
        if not 0 < count < total:
            raise UserError(f"{count:,} of the {total:,} training images cannot be held out")
        held_out = np.arange(count) * total // count
        kept = np.setdiff1d(np.arange(total), held_out)
        return replace(self, train=ImagePart(self.train, kept), test=ImagePart(self.train, held_out))


def first_images(data: DataSet, count: int) -> DataSet:
    """The data set with so many of its test images at the most."""
    return replace(data, test=ImagePart(data.test, np.arange(min(count, len(data.test.labels)))))


def check_size(images: Images, resolution: int, name: str) -> None:
    """Raises UserError where images of one size do not fit a network of that resolution."""
    size = images.size()
    if size is not None and size != (resolution, resolution):
        advice = f"; give --resolution {size[0]}" if size[0] == size[1] else ""
        raise UserError(
            f"the images of {name} are {size[0]} x {size[1]}, but the network takes "
            f"{resolution} x {resolution}{advice}"
        )
