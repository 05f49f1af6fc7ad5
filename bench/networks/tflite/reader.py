"""Reading a TFLite file operator by operator."""

from __future__ import annotations

from collections.abc import Callable

from ....errors import NetworkError, first_line
from ....zen.importing.read_graph import ReadGraph
from ...export.tflite_file import MALFORMED
from .inputs import Spelled
from .operators import TfliteOperators
from .parsing import StoredOperator
from .spelled import SpelledOperators


class TfliteReader(SpelledOperators):
    """Reads a file operator by operator, in the order of their execution."""

    def read(self) -> ReadGraph:
        for operator in self.source.operators:
            self.operator = operator
            if self.is_of_shapes():
                self.shapes.update(operator.outputs)
            else:
                self.take()
        return self.whole()

    def take(self) -> None:
        """Reads the operator."""
        operator = self.operator
        try:
            found = self.spelled_out()
            if found is None:
                found = self._read()
            (result, *_) = operator.outputs
            if isinstance(found, Spelled):
                self.spelled[result] = found
            elif found is not None:
                self.tensors[result] = found
            for number in operator.outputs:
                if number in self.tensors:
                    self._check_output(number, self.assembler.shape(self.tensors[number]))
        except MALFORMED as error:
            raise NetworkError(
                f"{self.where} is not valid ({first_line(error)}); convert the network again"
            ) from None

    def whole(self) -> ReadGraph:
        """The graph up to the file's output."""
        (output,) = self.source.outputs
        self.operator = StoredOperator("result", (output,), (output,), None)
        return self.assembler.read(self._first)

    def _read(self) -> str | None:
        read = _READERS.get(self.operator.kind)
        if read is None:
            raise NetworkError(f"{self.where} cannot be read; express it by what docs/reading.md lists")
        return read(self)


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
