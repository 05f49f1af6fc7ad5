"""Quantised nodes of an ONNX file, read as what they stand for in floating point."""

from __future__ import annotations

from math import isclose
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from ...errors import NetworkError
from ...zen.graph import Add, BatchNorm, Conv, Linear
from .onnx_constants import OnnxConstant
from .onnx_nodes import OnnxNodes


class _FloatForm(NamedTuple):
    """The node in floating point: the positions of its tensors, which have scale and zero point behind them,
    of the result's scale, and of the bias, whose scale is the product of theirs."""

    kind: str
    tensors: tuple[int, ...]
    result: int
    bias: int | None = None


_FLOAT_FORMS = {
    "QLinearConv": _FloatForm("Conv", (0, 3), 6, 8),
    "QLinearMatMul": _FloatForm("MatMul", (0, 3), 6),
    "QGemm": _FloatForm("Gemm", (0, 3), 7, 6),
    "QLinearAdd": _FloatForm("Add", (0, 3), 6),
    "QLinearMul": _FloatForm("Mul", (0, 3), 6),
    "QLinearSigmoid": _FloatForm("Sigmoid", (0,), 3),
    "QLinearLeakyRelu": _FloatForm("LeakyRelu", (0,), 3),
    "QLinearSoftmax": _FloatForm("Softmax", (0,), 3),
    "QLinearAveragePool": _FloatForm("AveragePool", (0,), 3),
    "QLinearGlobalAveragePool": _FloatForm("GlobalAveragePool", (0,), 3),
}
"""Operators of ONNX and of onnxruntime (com.microsoft)."""


_CLIPPED = (Conv, Linear, BatchNorm, Add)
"""What an activation follows; other operations have a range from nought because what they read has."""


class QuantisedNodes(OnnxNodes):
    """Also reads pairs of QuantizeLinear and DequantizeLinear, which pass the image, and QOperator files."""

    result_scale: tuple[NDArray[Any], NDArray[Any]] | None = None
    """Of the node that is read, with its zero point, where it is quantised."""

    def in_floats(self, node: onnx.NodeProto) -> onnx.NodeProto:
        """The node in floating point, its constants dequantised; any other node as it is."""
        self.node, self.result_scale = node, None
        if node.op_type == "QLinearConcat":
            tensors = tuple(range(2, len(node.input), 3))
            return self._node("Concat", [self._float(place, 1) for place in tensors])
        form = _FLOAT_FORMS.get(node.op_type)
        if form is None:
            return node
        self.result_scale = self._scale(form.result)
        # Outputs lie along this axis of the weights, which have a scale for each.
        axis = 0 if node.op_type == "QLinearConv" or self.attributes.get("transB", 0) else 1
        inputs = [self._float(place, axis) for place in form.tensors]
        if form.bias is not None and self._reads(form.bias):
            scales = [self._values(node.input[place + 1], "scale", self.where) for place in form.tensors]
            inputs.append(self._dequantised(form.bias, scales[0] * scales[1], np.zeros((), np.int32), 0))
        return self._node(form.kind, inputs)

    def clipped(self, made: str) -> str:
        """What was made, with the ReLU or ReLU6 that tools leave to the range of its numbers."""
        if self.result_scale is None or not isinstance(self.assembler.maker(made), _CLIPPED):
            return made
        scale, zero_point = self.result_scale
        limits = np.iinfo(zero_point.dtype)
        if np.any(zero_point != limits.min):
            return made
        most = float(np.max(scale)) * (limits.max - limits.min)
        return self.assembler.activation(
            made, "relu6" if isclose(most, 6, rel_tol=1e-4) else "relu", self.where
        )

    def _node(self, kind: str, inputs: list[str]) -> onnx.NodeProto:
        found = onnx.NodeProto()
        found.CopyFrom(self.node)
        found.op_type, found.domain, found.input[:] = kind, "", inputs
        if any(one.name == "channels_last" and one.i for one in found.attribute):
            raise NetworkError(f"{self.where} has its channels last; export it with them first")
        return found

    def _float(self, position: int, axis: int) -> str:
        """The name of an input in floating point: of the image it is the same."""
        if self.node.input[position] not in self.constants:
            return str(self.node.input[position])
        scale, zero_point = self._scale(position + 1)
        return self._dequantised(position, scale, zero_point, axis)

    def _dequantised(self, position: int, scale: NDArray[Any], zero_point: NDArray[Any], axis: int) -> str:
        name = f"{self.node.input[position]} of {self.node.output[0]}"  # two readers may have two scales
        self.constants[name] = self._constant(position).dequantised(scale, zero_point, axis)
        return name

    def _constant(self, position: int) -> OnnxConstant:
        self._weight(position)
        return self.constants[self.node.input[position]]

    def _scale(self, position: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """A scale and the zero point behind it, which may be left out."""
        scale, zero_point = self._numbers(position, "scale"), self._numbers(position + 1, "zero point")
        if scale is None or self.attributes.get("block_size", 0):
            raise NetworkError(f"{self.where} has no scale, or one for each block; quantise by channels")
        return scale, np.zeros(scale.shape, np.uint8) if zero_point is None else zero_point

    def quantised(self) -> str | None:
        return self._through_pair(is_back=False)

    def dequantised(self) -> str | None:
        return self._through_pair(is_back=True)

    def _through_pair(self, is_back: bool) -> str | None:
        """The image passes; a constant becomes what the node makes of it."""
        (name, *_), (result, *_) = self.node.input, self.node.output
        if name in self.halves:
            self.halves[result] = self.halves[name]
            return None
        if name not in self.constants:
            self.result_scale = None if is_back else self._scale(1)
            return self._first
        axis = self.attributes.get("axis", 1)
        change = OnnxConstant.dequantised if is_back else OnnxConstant.quantised
        self.constants[result] = change(self.constants[name], *self._scale(1), axis)
        return None
