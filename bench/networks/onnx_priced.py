"""Reading an ONNX file in which what cannot be read has a price."""

from __future__ import annotations

from pathlib import Path

import onnx

from ...errors import NetworkError
from ...zen.graph import INPUT
from ...zen.importing.read_graph import ReadGraph
from .onnx_prices import VIEWS, OnnxPrices, count_of_weights, weights_read
from .onnx_reader import OnnxReader


class PricedOnnxReader(OnnxReader):
    """Gives a price to what cannot be read."""

    def __init__(self, source: onnx.GraphProto, folder: Path | None, prices: OnnxPrices) -> None:
        shape = prices.of_image(prices.inputs[0], "the input")
        super().__init__(source, shape, folder, lambda: prices.values, prices=True)
        self.prices = prices
        self.batch = prices.batch
        for name in prices.inputs[1:]:
            shape = prices.of_image(name, f"input '{name}'")
            self.tensors[name] = self.assembler.priced("input", [INPUT], shape, is_view=True)
        self.made_of: dict[str, set[str]] = {}
        """Of what is computed from constants alone, those constants."""
        self.paid: set[str] = set()
        self.counted: set[str] = set()
        """Weights that are paid, and vectors: those count again, unless a layer with them is used again."""
        self.half_read: dict[str, onnx.NodeProto] = {}
        self.needed = {x for node in source.node for x in node.input if x} | {x.name for x in source.output}

    def take(self) -> None:
        node = self.node
        given = [name for name in node.input if name]
        is_image = any(name in self.tensors or name in self.halves for name in given)
        if node.op_type == "Shape" or not is_image:
            for name in node.output:
                self.made_of[name] = {constant for x in given for constant in self._behind(x)}
            if node.op_type in ("Identity", "Dropout") and given[0] in self.constants:
                self.constants[node.output[0]] = self.constants[given[0]]
            else:
                self.takes_value()
            return
        weights = self._weights(node)
        try:
            self._check_read(given, weights)
            super().take()
            self._check_made()
        except NetworkError:
            self._price(node)
        if node.output[0] in self.halves:
            self.half_read[node.output[0]] = node
        self.paid |= {name for name in weights if not self.constants[name].is_vector}
        self.counted |= weights

    def _check_read(self, given: list[str], weights: set[str]) -> None:
        """What is read must be of images, and weights of this node alone."""
        for name in given:
            if name in self.tensors:
                self._check_shape(name)
        if weights & self.paid:
            raise NetworkError(f"{self.where} uses its weights a second time")

    def _check_made(self) -> None:
        for name in self.node.output:
            if name in self.tensors:
                self._check_shape(name)

    def _check_shape(self, name: str) -> None:
        shape = self.prices.shapes.get(name)
        if shape is not None and shape != (self.batch, *self.assembler.shape(self.tensors[name])):
            raise NetworkError(f"{self.where} works on the shape {shape}")

    def _behind(self, name: str) -> set[str]:
        return self.made_of.get(name, {name} & self.constants.keys())

    def _weights(self, node: onnx.NodeProto) -> set[str]:
        found = {constant for name in weights_read(node) for constant in self._behind(name)}
        return {name for name in found if count_of_weights(self.constants[name], node)}

    def _price(self, node: onnx.NodeProto) -> None:
        where = f"'{node.name or ', '.join(node.output)}', a {node.op_type},"
        for name in node.input:
            if name in self.half_read and name not in self.tensors:
                self._price(self.half_read[name])
        weights = self._weights(node)
        owed = weights - (self.counted if weights & self.paid else self.paid)
        params = sum(count_of_weights(self.constants[name], node) for name in owed)
        inputs = [self.tensors[name] for name in node.input if name in self.tensors]
        macs, is_view = self.prices.macs(node, where), node.op_type in VIEWS
        for name in node.output:
            if name in self.needed:
                shape = self.prices.of_image(name, where)
                made = self.assembler.priced(node.op_type, inputs, shape, macs, params, is_view)
                self.tensors[name], inputs, macs, params = made, [made], 0, 0

    def whole(self) -> ReadGraph:
        """The graph of all outputs."""
        names = [x.name for x in self.source.output]
        for name in names:
            if name in self.half_read and name not in self.tensors:
                self._price(self.half_read[name])
        found = [self.tensors[name] for name in names if name in self.tensors]
        if not found:
            raise NetworkError("the file gives nothing that comes from its inputs")
        return self.assembler.whole(found)
