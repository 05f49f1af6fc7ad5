"""IDX files, in which MNIST and Fashion-MNIST are published (yann.lecun.com/exdb/mnist), packed or not.

Two bytes of zero, the type (8: bytes), the number of dimensions, each dimension as a big-endian 32-bit
number, then the values.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from math import prod
from pathlib import Path

import numpy as np

from ...errors import UserError
from .array_images import ArrayImages
from .data_set import Pixels

_BYTES = 8


def read_idx(folder: Path) -> tuple[ArrayImages, ArrayImages]:
    """Training and test images of the folder; raises UserError where files are missing or damaged."""
    return _images(folder, "train"), _images(folder, "t10k")


def _images(folder: Path, name: str) -> ArrayImages:
    images = _array(folder, f"{name}-images-idx3-ubyte", 3)
    labels = _array(folder, f"{name}-labels-idx1-ubyte", 1)
    if len(images) != len(labels):
        raise UserError(f"{folder} holds {len(images):,} images of {name}, but {len(labels):,} labels")
    return ArrayImages(images[..., None], labels.astype(np.int64))


def _array(folder: Path, name: str, dimensions: int) -> Pixels:
    paths = [folder / name, folder / f"{name}.gz"]
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        raise UserError(f"there is no file {paths[0]} or {paths[1].name}")
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except (EOFError, zlib.error):
        raise UserError(f"{path} is damaged: it cannot be unpacked") from None
    start = 4 + 4 * dimensions
    if len(data) < start or data[:4] != bytes((0, 0, _BYTES, dimensions)):
        raise UserError(f"{path} is no IDX file of bytes in {dimensions} dimensions")
    shape = struct.unpack(f">{dimensions}I", data[4:start])
    if len(data) != start + prod(shape):
        raise UserError(f"{path} is damaged: it has {len(data):,} bytes instead of {start + prod(shape):,}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
