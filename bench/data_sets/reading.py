"""A data set as a user names it: `cifar10:DIR`, `npz:FILE` and so on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ...errors import UserError
from .cifar import read_cifar
from .data_set import DataSet, Images
from .idx import read_idx
from .image_folder import read_folder
from .npz import read_npz

_READERS: dict[str, Callable[[Path], tuple[Images, Images]]] = {
    "cifar10": lambda path: read_cifar(path, 10),
    "cifar100": lambda path: read_cifar(path, 100),
    "fashion-mnist": read_idx,
    "folder": read_folder,
    "npz": read_npz,
}
_FEW = 1000
"""Classes that a small part of a data set may have, however few its images."""
FORMS = "cifar10:DIR, cifar100:DIR, fashion-mnist:DIR, folder:DIR or npz:FILE"


def names_data(text: str) -> bool:
    """Whether a text names a data set: it starts with a known prefix."""
    return text.partition(":")[0] in _READERS and ":" in text


def open_data(name: str) -> DataSet:
    """The data set of that name; raises UserError where it has another form, or less than two classes."""
    prefix, _, place = name.partition(":")
    if not names_data(name) or not place:
        raise UserError(f"'{name}' names no data set; give {FORMS}")
    try:
        path = Path(place).expanduser()
    except RuntimeError:
        raise UserError(f"{place} names the folder of a user who is not known here") from None
    train, test = _READERS[prefix](path)
    for images, what in ((train, "training"), (test, "test")):
        if not len(images.labels):
            raise UserError(f"{name} holds no {what} images")
    labels = np.concatenate([train.labels, test.labels])
    if labels.min() < 0:
        raise UserError(f"{name} holds label {labels.min()}; labels start at 0")
    if len(np.unique(train.labels)) < 2:
        raise UserError(f"{name} has training images of one class only; a classifier needs two")
    classes = int(labels.max()) + 1
    if classes > max(len(labels), _FEW):
        raise UserError(
            f"{name} holds label {labels.max()} among {len(labels):,} images; labels go from 0 up"
        )
    return DataSet(name, classes, train, test)
