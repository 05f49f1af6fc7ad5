"""CIFAR-10 and CIFAR-100 in their binary version (cs.toronto.edu/~kriz/cifar.html).

A record is its label (CIFAR-100: a coarse and a fine one), then 1,024 bytes of red, of green and of blue.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import UserError
from .array_images import ArrayImages

SIZE = 32
_PIXELS = 3 * SIZE * SIZE
TEN = (tuple(f"data_batch_{number}.bin" for number in range(1, 6)), ("test_batch.bin",))
HUNDRED = (("train.bin",), ("test.bin",))


def read_cifar(folder: Path, classes: int) -> tuple[ArrayImages, ArrayImages]:
    """Training and test images of the folder, 10 or 100 classes; raises UserError where files are damaged."""
    train, test = TEN if classes == 10 else HUNDRED
    return _images(folder, train, classes), _images(folder, test, classes)


def _images(folder: Path, names: tuple[str, ...], classes: int) -> ArrayImages:
    label_bytes = 1 if classes == 10 else 2
    parts = [_records(folder / name, label_bytes) for name in names]
    records = np.concatenate(parts)
    labels = records[:, label_bytes - 1].astype(np.int64)
    if labels.max() >= classes:
        raise UserError(
            f"{folder / names[0]} holds label {labels.max()}, but CIFAR-{classes} ends at {classes - 1}; "
            "is it the other CIFAR?"
        )
    pixels = records[:, label_bytes:].reshape(-1, 3, SIZE, SIZE).transpose(0, 2, 3, 1)
    return ArrayImages(np.ascontiguousarray(pixels), labels)


def _records(path: Path, label_bytes: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    try:
        data = np.fromfile(path, np.uint8)
    except FileNotFoundError:
        raise UserError(
            f"there is no file {path}; the binary version of CIFAR is at https://www.cs.toronto.edu/~kriz/cifar.html"
        ) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    length = label_bytes + _PIXELS
    if not len(data) or len(data) % length:
        raise UserError(f"{path} has {len(data):,} bytes, which is no multiple of {length:,}: it is damaged")
    return data.reshape(-1, length)
