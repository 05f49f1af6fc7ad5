"""A TFLite file in which what cannot be read has a price."""

from __future__ import annotations

from math import prod

from ....errors import NetworkError
from ....zen.graph import INPUT, Shape
from ....zen.importing.read_graph import ReadGraph
from ...export.tflite_file import MALFORMED
from .parsing import StoredGraph
from .reader import TfliteReader

_KERNEL_AT = {"CONV_2D": 1, "TRANSPOSE_CONV": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "PRELU": 1}
"""Where operators have their weights; what they add is the input behind."""
_VIEWS = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "QUANTIZE", "DEQUANTIZE", "DENSIFY", "CAST")


class PricedTfliteReader(TfliteReader):
    """Gives a price to what cannot be read, by the shapes that the file tells."""

    def __init__(self, source: StoredGraph, shape: tuple[int, ...] | None) -> None:
        super().__init__(source, shape, prices=True)
        for number in source.inputs[1:]:
            name = self.assembler.priced("input", [INPUT], self._shape(number), is_view=True)
            self._keep(number, name)

    def take(self) -> None:
        try:
            super().take()
        except (NetworkError, *MALFORMED):
            self._price()

    def whole(self) -> ReadGraph:
        names = [name for number in self.source.outputs if (name := self._known(number)) is not None]
        if not names:
            raise NetworkError("the file gives nothing that comes from its inputs")
        return self.assembler.whole(names)

    def _price(self) -> None:
        operator = self.operator
        inputs = [name for number in operator.inputs if (name := self._known(number)) is not None]
        if not inputs:
            return  # of constants alone
        macs, params = self._macs(), self._params()
        is_view = operator.kind in _VIEWS
        for number in operator.outputs:
            made = self.assembler.priced(operator.kind, inputs, self._shape(number), macs, params, is_view)
            self._keep(number, made)
            inputs, macs, params = [made], 0, 0

    def _keep(self, number: int, made: str) -> None:
        """As the file has it: with channels last, where it is a map."""
        self.held.pop(number, None)
        self.spelled.pop(number, None)
        is_map = len(self.source.tensors[number].shape) == 4
        self.tensors[number] = self.assembler.channels_last(made) if is_map else made

    def _known(self, number: int) -> str | None:
        if number in self.held:
            return self.held[number].x
        if number in self.spelled:
            x = self.spelled[number]
            return x.source or self._known(x.x)
        return self.tensors.get(number)

    def _shape(self, number: int) -> Shape:
        """Of one image, channels first."""
        tensor = self.source.tensors[number]
        if any(extent < 0 for extent in tensor.shape[1:]):
            raise NetworkError(f"'{tensor.name}' has no fixed shape; convert the network with fixed shapes")
        shape = tensor.shape[1:]
        return (shape[2], *shape[:2]) if len(shape) == 3 else shape

    def _macs(self) -> int:
        """Of one image: of convolutions and matrix products."""
        kind, (made, *_) = self.operator.kind, self.operator.outputs
        given = [self.source.tensors[n].shape if n >= 0 else () for n in self.operator.inputs]
        results = prod(self._shape(made))
        if kind == "CONV_2D":
            return results * prod(given[1][1:])
        if kind == "DEPTHWISE_CONV_2D":
            return results * prod(given[1][1:3])
        if kind == "TRANSPOSE_CONV":
            return prod(given[2][1:]) * prod(given[1][:3])
        if kind == "FULLY_CONNECTED":
            return results * given[1][-1]
        if kind == "BATCH_MATMUL":
            return results * given[0][-1]
        return 0

    def _params(self) -> int:
        """The constants of more than one value that convolutions, matrix products, slopes, sums and products
        read."""
        kind, inputs = self.operator.kind, self.operator.inputs
        places = range(_KERNEL_AT[kind], len(inputs)) if kind in _KERNEL_AT else range(len(inputs))
        if kind not in _KERNEL_AT and kind not in ("ADD", "MUL", "SUB", "BATCH_MATMUL"):
            return 0
        counts = [
            prod(self.source.tensors[inputs[place]].shape)
            for place in places
            if inputs[place] in self.constants
        ]
        return sum(count for count in counts if count > 1)
