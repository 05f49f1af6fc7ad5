"""Someone else's TFLite file -> Graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...errors import NetworkError, UserError, first_line
from ...zen.graph import Graph
from ...zen.importing.read_graph import ReadGraph
from ..export.tflite_file import MALFORMED
from .tflite_operators import TfliteOperators
from .tflite_parsing import StoredOperator, parse_tflite


def graph_of_tflite(source: Path | bytes, shape: tuple[int, ...] | None = None) -> Graph:
    """The graph alone of what `read_tflite` reads."""
    return read_tflite(source, shape).graph


def read_tflite(source: Path | bytes, shape: tuple[int, ...] | None = None) -> ReadGraph:
    """The graph that a file, or its bytes, computes for one image; of an int8 file the one that it quantises.

    `shape`: of one image as the file has it, where it leaves some of it free. Weights are what the stored
    numbers stand for. Raises NetworkError where an operator has no counterpart, a
    shape is not fixed, or the file is damaged.
    """
    return _Reader(parse_tflite(source if isinstance(source, bytes) else _bytes_of(source)), shape).read()


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


class _Reader(TfliteOperators):
    """Reads a file operator by operator, in the order of their execution."""

    def read(self) -> ReadGraph:
        for operator in self.source.operators:
            self.operator = operator
            if self.is_of_shapes():
                self.shapes.update(operator.outputs)
                continue
            read = _READERS.get(operator.kind)
            if read is None:
                raise NetworkError(f"{self.where} cannot be read; express it by what docs/reading.md lists")
            try:
                found = read(self)
                if found is not None:
                    (result,) = operator.outputs
                    self.tensors[result] = found
                for number in operator.outputs:
                    if number in self.tensors:
                        self._check_output(number, self.assembler.shape(self.tensors[number]))
            except MALFORMED as error:
                raise NetworkError(
                    f"{self.where} is not valid ({first_line(error)}); convert the network again"
                ) from None
        (output,) = self.source.outputs
        self.operator = StoredOperator("result", (output,), (output,), None)
        return self.assembler.read(self._first)


_READERS: dict[str, Callable[[TfliteOperators], str | None]] = {
    "CONV_2D": TfliteOperators.conv,
    "DEPTHWISE_CONV_2D": TfliteOperators.depthwise,
    "FULLY_CONNECTED": TfliteOperators.linear,
    "RELU": lambda operators: operators.activation("relu"),
    "RELU6": lambda operators: operators.activation("relu6"),
    "ELU": lambda operators: operators.activation("elu"),
    "LOGISTIC": lambda operators: operators.activation("sigmoid"),
    "TANH": lambda operators: operators.activation("tanh"),
    "HARD_SWISH": lambda operators: operators.activation("hard-swish"),
    "LEAKY_RELU": TfliteOperators.leaky_relu,
    "PRELU": TfliteOperators.prelu,
    "GELU": TfliteOperators.gelu,
    "SOFTMAX": TfliteOperators.softmax,
    "ADD": TfliteOperators.add,
    "SUB": TfliteOperators.subtract,
    "MUL": TfliteOperators.multiply,
    "DIV": TfliteOperators.divide,
    "NEG": TfliteOperators.negate,
    "CONCATENATION": TfliteOperators.concat,
    "SPLIT": TfliteOperators.split,
    "SPLIT_V": TfliteOperators.split_by_sizes,
    "SLICE": TfliteOperators.slice,
    "STRIDED_SLICE": TfliteOperators.strided_slice,
    "MAX_POOL_2D": lambda operators: operators.pool("max"),
    "AVERAGE_POOL_2D": lambda operators: operators.pool("average"),
    "PAD": TfliteOperators.pad,
    "PADV2": TfliteOperators.pad,
    "MEAN": TfliteOperators.mean,
    "RESHAPE": TfliteOperators.reshape,
    "SQUEEZE": TfliteOperators.squeeze,
    "TRANSPOSE": TfliteOperators.transpose,
    "QUANTIZE": TfliteOperators.passed,
    "DEQUANTIZE": TfliteOperators.passed,
    "DENSIFY": TfliteOperators.passed,
}
