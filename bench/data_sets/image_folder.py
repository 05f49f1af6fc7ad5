"""Folders of images in ImageNet's layout: DIR/train/CLASS/IMAGE and DIR/val/CLASS/IMAGE (or DIR/test)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from os import cpu_count
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from .crops import central, pillow, random_area
from .data_set import Labels, Pixels, Random

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm")
TRAIN, TEST = "train", ("val", "test")
_THREADS = min(8, cpu_count() or 1)


@dataclass(frozen=True)
class FolderImages:
    """Images in files, which are decoded when they are asked for."""

    paths: Sequence[Path]
    labels: Labels

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_THREADS)

    def __getstate__(self) -> dict[str, Any]:
        """For another process, which makes threads of its own."""
        return {"paths": self.paths, "labels": self.labels}

    def size(self) -> None:
        return None

    def pixels(self, indices: Labels, size: int, random: Random | None = None) -> Pixels:
        # A generator an image, so that the order of the threads changes nothing.
        randoms = [None] * len(indices) if random is None else random.spawn(len(indices))
        paths = [self.paths[index] for index in indices]
        return np.stack(list(self._pool.map(_decoded, paths, [size] * len(paths), randoms)))


def read_folder(folder: Path) -> tuple[FolderImages, FolderImages]:
    """Training and test images; the classes are the folders of train in alphabetical order.

    Raises UserError where a folder or its images are missing, or a test class is none of train's.
    """
    pillow()
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}")
    test = next((folder / name for name in TEST if (folder / name).is_dir()), None)
    if test is None or not (folder / TRAIN).is_dir():
        raise UserError(f"{folder} must hold the folders {TRAIN} and {TEST[0]}, with a folder for each class")
    classes = [path.name for path in _folders(folder / TRAIN)]
    if strange := [path.name for path in _folders(test) if path.name not in classes]:
        raise UserError(f"{test} has the class '{strange[0]}', which {folder / TRAIN} has not")
    return _images(folder / TRAIN, classes), _images(test, classes)


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir())


def _images(folder: Path, classes: Sequence[str]) -> FolderImages:
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        place = folder / name
        found = (
            sorted(one for one in place.iterdir() if one.suffix.lower() in SUFFIXES and one.is_file())
            if place.is_dir()
            else []
        )
        if not found and folder.name == TRAIN:
            raise UserError(f"{place} holds no images ({', '.join(SUFFIXES)})")
        paths += found
        labels += [label] * len(found)
    if not paths:
        raise UserError(f"{folder} holds no images ({', '.join(SUFFIXES)})")
    return FolderImages(paths, np.array(labels, np.int64))


def _decoded(path: Path, size: int, random: Random | None) -> Pixels:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata; what cannot be decoded raises
            with pillow().open(path) as opened:
                image = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, EOFError, pillow().DecompressionBombError):
        raise UserError(f"{path} is no image that can be read; delete it or replace it") from None
    return central(image, size) if random is None else random_area(image, size, random)
