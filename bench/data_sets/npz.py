"""Data sets as NumPy archives: arrays x, y for training and tx, ty for testing."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from pathlib import Path

import numpy as np

from ...errors import UserError
from .array_images import ArrayImages

FORM = "x, y, tx, ty: images of shape (N, H, W), (N, H, W, 1) or (N, H, W, 3) in uint8, and their labels"

_DAMAGED = (
    *(ValueError, TypeError, EOFError, AttributeError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError),
)
"""What NumPy and zipfile raise; a RuntimeError for a password or an unknown compression."""


def read_npz(path: Path) -> tuple[ArrayImages, ArrayImages]:
    """Training and test images; raises UserError where an array is missing or of another form."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in ("x", "y", "tx", "ty") if name in arrays}
    except FileNotFoundError:
        raise UserError(f"there is no file {path}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except _DAMAGED:
        raise UserError(f"{path} is no NumPy archive (.npz) of plain arrays") from None
    if missing := [name for name in ("x", "y", "tx", "ty") if name not in found]:
        raise UserError(f"{path} lacks the array {missing[0]}; it must hold {FORM}")
    return _images(path, found, "x", "y"), _images(path, found, "tx", "ty")


def _images(path: Path, found: dict[str, np.ndarray], images: str, labels: str) -> ArrayImages:
    pixels, classes = found[images], found[labels]
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    if pixels.ndim != 4 or pixels.shape[-1] not in (1, 3) or pixels.dtype != np.uint8 or not pixels.size:
        raise UserError(
            f"{path}: the array {images} is {pixels.dtype} of shape {found[images].shape}; "
            f"the archive must hold {FORM}"
        )
    if classes.shape != (len(pixels),) or not np.issubdtype(classes.dtype, np.integer):
        raise UserError(
            f"{path}: the array {labels} must hold a whole number for each of the {len(pixels):,} images"
        )
    return ArrayImages(pixels, classes.astype(np.int64))
