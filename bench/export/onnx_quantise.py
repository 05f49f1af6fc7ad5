"""INT8 in an ONNX file: which tensors pass through QuantizeLinear and DequantizeLinear, and by which scales.

Scales are symmetric with zero point 0, one a tensor and, for weights, one an output channel: all that
TensorRT knows. Weights stay in fp32 before their pair, because TensorRT 8 reads no others, and biases have
no pair. What has no pair (swish, softmax, a scale of its own) computes in fp32.

Pairs stand before what runtimes compute in int8: convolutions, linear layers, pools, products and sums. A
sum's first input that comes straight from a convolution with no other reader goes without, so that the sum
fuses into that convolution; a pair there would keep them apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from ...zen.graph import (
    INPUT,
    Add,
    BatchNorm,
    Conv,
    GlobalAveragePool,
    Graph,
    Linear,
    Multiply,
    Operation,
    Pool,
)
from .activation_ranges import ranges
from .weights import Array

_STEPS = 127
_PAIRED = (Conv, Linear, Pool, GlobalAveragePool, Multiply, Add)


class Quantiser:
    """The pairs of one file: one QuantizeLinear a tensor, one DequantizeLinear a reader.

    `arrays`: the file's initializers, with those of the pairs. `ends`: the int8 input and output.
    """

    def __init__(
        self,
        graph: Graph,
        state: Mapping[str, Array],
        arrays: Mapping[str, Array],
        calibration: Sequence[Array] = (),
    ) -> None:
        self._graph = graph
        self._fused = _fused_sums(graph)
        self._stored = {INPUT: INPUT}
        self._zero = np.zeros((), np.int8)
        self.arrays: dict[str, NDArray[Any]] = dict(arrays)
        self.ends = (INPUT, f"{graph.output}.int8")
        self.scales = {name: reached / _STEPS for name, reached in ranges(graph, state, calibration).items()}
        self.scales[self.ends[1]] = self.scales[graph.output]

    def feed(self, op: Operation) -> tuple[list[NodeProto], Operation]:
        """The pairs before an operation, and the operation reading what they give."""
        nodes: list[NodeProto] = []
        inputs = list(op.inputs)
        for index, tensor in enumerate(op.inputs):
            paired = isinstance(op, _PAIRED) and (op.name, index) not in self._fused
            if paired or tensor == INPUT:
                nodes += self._store(tensor)
                inputs[index] = f"{op.name}.from{index}"
                nodes.append(self._node("DequantizeLinear", self._stored[tensor], inputs[index], tensor))
        if isinstance(op, Conv | Linear):
            nodes += self._weight(f"{op.name}.weight")
        return nodes, replace(op, inputs=tuple(inputs))

    def end(self) -> list[NodeProto]:
        """What turns the graph's output into int8."""
        return self._store(self._graph.output)

    def _store(self, tensor: str) -> list[NodeProto]:
        if tensor in self._stored:
            return []
        self._stored[tensor] = f"{tensor}.int8"
        return [self._node("QuantizeLinear", tensor, f"{tensor}.int8", tensor)]

    def _weight(self, name: str) -> list[NodeProto]:
        weight = self.arrays.pop(name)
        self.arrays[f"{name}.fp32"] = weight
        most = np.abs(weight).reshape(len(weight), -1).max(axis=1)
        self.arrays[f"{name}.step"] = np.where(most > 0, most / _STEPS, 1).astype(np.float32)
        self.arrays[f"{name}.zero"] = np.zeros(len(weight), np.int8)
        how = [f"{name}.step", f"{name}.zero"]
        return [
            helper.make_node("QuantizeLinear", [f"{name}.fp32", *how], [f"{name}.int8"], axis=0),
            helper.make_node("DequantizeLinear", [f"{name}.int8", *how], [name], axis=0),
        ]

    def _node(self, kind: str, given: str, result: str, tensor: str) -> NodeProto:
        self.arrays[f"{tensor}.step"] = np.array(self.scales[tensor], np.float32)
        self.arrays["zero"] = self._zero
        return helper.make_node(kind, [given, f"{tensor}.step", "zero"], [result])


def _fused_sums(graph: Graph) -> set[tuple[str, int]]:
    """Sum and index of its first input that comes straight from a convolution and is read nowhere else."""
    readers = Counter(name for op in graph.ops for name in op.inputs)
    straight: set[str] = set()
    found: set[tuple[str, int]] = set()
    for op in graph.ops:
        if isinstance(op, Conv) or (isinstance(op, BatchNorm) and op.inputs[0] in straight):
            if readers[op.name] == 1:
                straight.add(op.name)
        elif isinstance(op, Add):
            found.update([(op.name, index) for index, name in enumerate(op.inputs) if name in straight][:1])
    return found
