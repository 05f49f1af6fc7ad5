"""OnnxConstant: a constant of an ONNX file, wherever its values lie and whatever they were quantised to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from ...errors import NetworkError, first_line

Values = NDArray[Any]
_FLOATS = (
    onnx.TensorProto.FLOAT,
    onnx.TensorProto.FLOAT16,
    onnx.TensorProto.BFLOAT16,
    onnx.TensorProto.DOUBLE,
)


@dataclass(frozen=True, slots=True)
class OnnxConstant:
    """Its shape, and what makes its values when they are wanted; whether they are floating point, and the
    stored tensor that they are made of."""

    dims: tuple[int, ...]
    read: Callable[[], Values]
    is_float: bool
    stored_as: str

    @staticmethod
    def stored(tensor: onnx.TensorProto, folder: Path | None) -> OnnxConstant:
        """A tensor of a file in that folder; of a model without one, values in other files are refused."""
        is_float = tensor.data_type in _FLOATS
        return OnnxConstant(tuple(tensor.dims), lambda: _stored_values(tensor, folder), is_float, tensor.name)

    @property
    def is_vector(self) -> bool:
        return len([extent for extent in self.dims if extent > 1]) < 2

    @staticmethod
    def of_values(values: Values, name: str) -> OnnxConstant:
        return OnnxConstant(values.shape, lambda: values, values.dtype.kind == "f", name)

    def of(self, change: Callable[[Values], Values], is_float: bool = True) -> OnnxConstant:
        """One of the same shape whose values are made of these."""
        return OnnxConstant(self.dims, lambda: change(self.read()), is_float, self.stored_as)

    def quantised(self, scale: Values, zero_point: Values, axis: int) -> OnnxConstant:
        """What QuantizeLinear makes of it; one scale for all, or one for each place of an axis."""
        scale, zero_point = self._along(scale, axis), self._along(zero_point, axis)
        limits = np.iinfo(zero_point.dtype)

        def change(values: Values) -> Values:
            steps = np.rint(values / scale) + zero_point.astype(np.int64)
            narrow: Values = np.clip(steps, limits.min, limits.max).astype(zero_point.dtype)
            return narrow

        return self.of(change, is_float=False)

    def dequantised(self, scale: Values, zero_point: Values, axis: int) -> OnnxConstant:
        """What DequantizeLinear makes of it, in fp32."""
        scale, zero_point = self._along(scale, axis), self._along(zero_point, axis).astype(np.int64)
        return self.of(lambda values: ((values - zero_point) * scale).astype(np.float32))

    def _along(self, numbers: Values, axis: int) -> Values:
        if numbers.size == 1:
            return numbers.reshape(())
        places = range(len(self.dims))
        axis = axis if len(places) > 1 else 0  # the usual one, 1, is no axis of a bias
        if numbers.ndim != 1 or axis not in (*places, *(place - len(places) for place in places)):
            raise ValueError(f"it has scales of the shape {numbers.shape}")
        if numbers.size != self.dims[axis]:
            raise ValueError(f"it has {numbers.size} scales for {self.dims[axis]} places")
        return numbers.reshape([-1 if place == axis % len(places) else 1 for place in places])


def _stored_values(tensor: onnx.TensorProto, folder: Path | None) -> Values:
    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        return numpy_helper.to_array(tensor)
    if folder is None:
        # Read from wherever the command runs, it might be another file of that name.
        raise NetworkError(f"'{tensor.name}' lies in another file; save the model as one file")
    header = onnx.TensorProto()
    header.CopyFrom(tensor)  # what is read goes into it, and into the model it would stay
    try:
        return numpy_helper.to_array(header, str(folder))
    except (onnx.checker.ValidationError, ValueError, OSError) as error:
        raise NetworkError(
            f"'{tensor.name}' cannot be read from the file beside the model ({first_line(error)})"
        ) from None
