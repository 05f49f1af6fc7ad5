"""Inputs of model files, whose axes may be left free, and the shapes that they are run with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...devices.base import TensorSpec
from ...errors import NetworkError, UserError

_CHANNELS = (1, 3, 4)
"""Of images: what tells channels from height and width."""

Extents = tuple[int | str, ...]


@dataclass(frozen=True)
class FileInput:
    """An input of a file. `extents`: a number per axis that is fixed, else its name, empty without one.

    `batch_axis`: 1 of what a recurrent layer reads, whose first axis is its steps or its layers. `value`:
    what fills it, where that is not random.
    """

    name: str
    extents: Extents
    dtype: str
    batch_axis: int = 0
    value: float | None = None

    @property
    def batch(self) -> int | str:
        """How many images it holds, a number where that is fixed."""
        return self.extents[self.batch_axis]

    @property
    def size_axes(self) -> tuple[int, int] | None:
        """The axes of height and width; None of what is no image."""
        if len(self.extents) != 4:
            return None
        channels_last = self.extents[3] in _CHANNELS and self.extents[1] not in _CHANNELS
        return (1, 2) if channels_last else (2, 3)

    def with_axes(self, values: Mapping[int, int]) -> FileInput:
        """With these axes fixed."""
        return replace(self, extents=tuple(values.get(axis, old) for axis, old in enumerate(self.extents)))


def leading(inputs: Sequence[FileInput]) -> FileInput | None:
    """The input that tells the batch: the first image, else the first that has such an axis."""
    images = [one for one in inputs if one.size_axes]
    return next(iter(images or [one for one in inputs if len(one.extents) > one.batch_axis]), None)


def sized(inputs: Sequence[FileInput], resolution: int) -> tuple[FileInput, ...]:
    """With free heights and widths of images fixed; UserError where a fixed one is another."""
    if not any(one.size_axes for one in inputs):
        raise UserError("has no image as its input; leave --resolution out")
    found = []
    for one in inputs:
        axes = one.size_axes or ()
        fixed = [extent for axis in axes if isinstance(extent := one.extents[axis], int)]
        if any(extent != resolution for extent in fixed):
            size = " x ".join(str(one.extents[axis]) for axis in axes)
            raise UserError(
                f"has a fixed size of {size}, not {resolution}; leave --resolution out, or export it with a "
                "free height and width"
            )
        found.append(one.with_axes(dict.fromkeys(axes, resolution)))
    return tuple(found)


def shaped(inputs: Sequence[FileInput], shapes: Mapping[str, tuple[int, ...]]) -> tuple[FileInput, ...]:
    """With whole shapes given by name, and axes of other inputs that have the same name as one of theirs.

    UserError for a shape that the file does not take.
    """
    found, named = [], dict[int | str, int]()
    for one in inputs:
        shape = shapes.get(one.name)
        if shape is not None:
            fits = len(shape) == len(one.extents) and all(
                extent in (given, str(extent)) for extent, given in zip(one.extents, shape, strict=True)
            )
            if not fits:
                raise UserError(
                    f"takes its input '{one.name}' as {written(one.extents)}, not {written(shape)}"
                )
            named = {**dict(zip(one.extents, shape, strict=True)), **named}
            one = one.with_axes(dict(enumerate(shape)))  # noqa: PLW2901
        found.append(one)
    tied = {name: given for name, given in named.items() if isinstance(name, str) and name}
    return tuple(
        one.with_axes({axis: tied[name] for axis, name in enumerate(one.extents) if name in tied})
        for one in found
    )


def valued(inputs: Sequence[FileInput], values: Mapping[str, float]) -> tuple[FileInput, ...]:
    """With inputs filled by one number each, given by name; UserError where the dtype does not hold it."""
    return tuple(
        replace(one, value=_held(one, values[one.name])) if one.name in values else one for one in inputs
    )


def _held(one: FileInput, value: float) -> float:
    dtype = np.dtype(one.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            held = dtype.type(value)
        except OverflowError:
            held = None
    fits = held is not None and bool(np.isfinite(held) if dtype.kind == "f" else held == value)
    if not fits:
        raise UserError(f"takes its input '{one.name}' as {one.dtype}, which does not hold {value:.15g}")
    return value


def specs(inputs: Sequence[FileInput], batch: int) -> tuple[TensorSpec, ...]:
    """The inputs at a batch, which free first axes and axes of the same name take.

    UserError where the file is written for another batch, NetworkError for an axis that is still free.
    """
    first = leading(inputs)
    name = first.batch if first else ""
    if isinstance(name, int) and name != batch:
        raise UserError(
            f"is written for batch {name}, the setting asks for {batch}; give --batch {name}, or export it "
            "with a free batch"
        )
    return tuple(
        TensorSpec(
            one.name,
            tuple(
                extent if isinstance(extent, int) else _free(one, axis, extent, name, batch)
                for axis, extent in enumerate(one.extents)
            ),
            one.dtype,
            one.value,
        )
        for one in inputs
    )


def _free(one: FileInput, axis: int, extent: str, batch_name: int | str, batch: int) -> int:
    # First: some exporters give every free axis the same name.
    if one.size_axes and axis in one.size_axes:
        raise NetworkError(
            f"has a free height and width at its input '{one.name}'; give --resolution, as in 224, or --shape"
        )
    if axis == one.batch_axis or (extent and extent == batch_name):
        return batch
    named = f"axis '{extent}'" if extent else f"axis {axis}"
    shape = "x".join(str(value) if isinstance(value, int) else "1" for value in one.extents)
    raise NetworkError(
        f"has the free {named} at its input '{one.name}'; give --shape {one.name}={shape} to measure it, or "
        "export it with that axis fixed"
    )


def written(extents: Sequence[int | str]) -> str:
    """A shape as people write it: 1x3x224x224, free axes by their names."""
    return "x".join(str(extent) or "?" for extent in extents) or "a scalar"
