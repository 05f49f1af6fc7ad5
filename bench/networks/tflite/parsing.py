"""What a TFLite file holds: tensors, their values where they are constants, and operators in order."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....errors import NetworkError
from ...export.tflite_file import IDENTIFIER, MALFORMED, names_of, schema

_MOST_AXES = 8  # of a tensor; no operator takes more
_IN_THE_FILE = 2  # the least offset of values that lie behind the tables; smaller ones say that they do not


@dataclass(frozen=True, slots=True)
class Quantisation:
    """How whole numbers stand for others: scale * (value - zero point), along an axis where there are
    several."""

    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    axis: int


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor of a file, batch first; `data` where it is a constant. A dimension that is free is -1."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    data: memoryview | None = None
    quantisation: Quantisation | None = None
    is_sparse: bool = False

    def values(self) -> NDArray[Any]:
        """What the constant stands for, in its shape; NetworkError where the file holds something else."""
        if self.is_sparse:
            raise NetworkError(f"'{self.name}' is stored sparse; convert the network without sparsity")
        dtype = np.dtype(self.dtype)
        if self.data is None or len(self.data) != prod(self.shape) * dtype.itemsize:
            held = 0 if self.data is None else len(self.data)
            raise NetworkError(f"'{self.name}' has {held} bytes for {prod(self.shape)} values; convert again")
        stored = np.frombuffer(self.data, dtype.newbyteorder("<")).reshape(self.shape)
        if self.quantisation is None:
            return stored
        scales, zero_points = (
            numbers if numbers.size == 1 else numbers.reshape(self._along(self.quantisation.axis))
            for numbers in (self.quantisation.scales, self.quantisation.zero_points)
        )
        found: NDArray[Any] = ((stored - zero_points) * scales).astype(np.float32)
        return found

    def _along(self, axis: int) -> list[int]:
        """The shape of one number for each place of an axis."""
        return [-1 if place == axis else 1 for place in range(len(self.shape))]


@dataclass(frozen=True, slots=True)
class StoredOperator:
    """An operator of a file: `kind` as the schema names it, a custom one by its own name, the numbers of its
    tensors (-1 where one is left out), and the schema's object of its options."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any | None


@dataclass(frozen=True, slots=True)
class StoredGraph:
    """The main graph of a file."""

    tensors: tuple[StoredTensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[StoredOperator, ...]


def parse_tflite(data: bytes) -> StoredGraph:
    """Raises NetworkError where the bytes are no TFLite file, UserError where LiteRT is missing."""
    names = schema()
    if data[4:8] != IDENTIFIER:
        raise NetworkError("it is not a TFLite file")
    try:
        return _Parser(names, data).graph()
    except MALFORMED as error:
        raise NetworkError(f"it is a damaged TFLite file ({type(error).__name__})") from None


class _Parser:
    def __init__(self, names: Any, data: bytes) -> None:
        self.names, self.data = names, data
        self.model = names.Model.GetRootAs(data)
        self.types = names_of(names.TensorType)
        self.kinds = names_of(names.BuiltinOperator)
        self.options = names_of(names.BuiltinOptions)

    def graph(self) -> StoredGraph:
        graph = self.model.Subgraphs(0)
        tensors = tuple(self.tensor(graph.Tensors(number)) for number in range(graph.TensorsLength()))
        codes = [self.kind(self.model.OperatorCodes(n)) for n in range(self.model.OperatorCodesLength())]
        operators = tuple(
            self.operator(graph.Operators(number), codes) for number in range(graph.OperatorsLength())
        )
        inputs, outputs = _numbers(graph.InputsAsNumpy()), _numbers(graph.OutputsAsNumpy())
        for number in {*inputs, *outputs}.union(*({*one.inputs, *one.outputs} for one in operators)):
            if not -1 <= number < len(tensors):
                raise IndexError
        return StoredGraph(tensors, inputs, outputs, operators)

    def kind(self, code: Any) -> str:
        kind = self.kinds[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        return _plain(code.CustomCode()) if kind == "CUSTOM" else kind

    def tensor(self, tensor: Any) -> StoredTensor:
        signature = tensor.ShapeSignatureLength()
        shape = _numbers(tensor.ShapeSignatureAsNumpy() if signature else tensor.ShapeAsNumpy())
        if len(shape) > _MOST_AXES or min(shape, default=0) < -1:
            raise ValueError
        return StoredTensor(
            _plain(tensor.Name()),
            shape,
            self.types[tensor.Type()].lower(),
            self.held(self.model.Buffers(tensor.Buffer())) if tensor.Buffer() else None,
            _quantisation(tensor.Quantization(), shape),
            tensor.Sparsity() is not None,
        )

    def held(self, buffer: Any) -> memoryview | None:
        """The bytes of a buffer, which in files beyond 2 GiB lie behind the tables."""
        if buffer.Offset() >= _IN_THE_FILE:
            return memoryview(self.data)[buffer.Offset() : buffer.Offset() + buffer.Size()]
        return buffer.DataAsNumpy().data if buffer.DataLength() else None

    def operator(self, operator: Any, codes: list[str]) -> StoredOperator:
        options = None
        table = operator.BuiltinOptions()
        if table is not None and operator.BuiltinOptionsType():
            options = getattr(self.names, self.options[operator.BuiltinOptionsType()])()
            options.Init(table.Bytes, table.Pos)
        kind = codes[operator.OpcodeIndex()]
        return StoredOperator(
            kind, _numbers(operator.InputsAsNumpy()), _numbers(operator.OutputsAsNumpy()), options
        )


def _quantisation(held: Any, shape: tuple[int, ...]) -> Quantisation | None:
    if held is None or not held.ScaleLength():
        return None
    scales = np.array(held.ScaleAsNumpy())
    zero_points = np.array(held.ZeroPointAsNumpy()) if held.ZeroPointLength() else np.zeros(1, np.int64)
    axis = held.QuantizedDimension()
    if any(found.size not in (1, shape[axis] if shape else 1) for found in (scales, zero_points)):
        raise ValueError
    return Quantisation(scales, zero_points, axis)


def _numbers(vector: Any) -> tuple[int, ...]:
    """A vector of the schema, which is the number 0 where it is left out."""
    return tuple(map(int, vector)) if isinstance(vector, np.ndarray) else ()


def _plain(name: bytes | None) -> str:
    """A name that can stand in a sentence."""
    text = (name or b"").decode("utf-8", "replace")[:100]
    return "".join(letter if letter.isprintable() else "?" for letter in text)
