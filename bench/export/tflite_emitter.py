"""Emitter: operators and tensors of a TFLite model as they come, activations fused into what they follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...zen.graph import INPUT, Activation, Add, BatchNorm, Function, Graph, Multiply, Shape
from .tflite_file import Model, Operator, Tensor
from .weights import Array, Constants, FoldedConv, Scale, fold

FUSED: dict[Function, int] = {"relu": 1, "relu6": 3}
"""Activations that an operator can hold, as the schema numbers them."""


class Emitter:
    """The model of a graph under way. Shapes are given as the graph has them, (C, H, W) of one image, and
    written as (N, H, W, C)."""

    def __init__(self, graph: Graph, state: Mapping[str, Array], batch: int) -> None:
        self.batch = batch
        folded = fold(graph, state)
        self.kernels = {name: part for name, part in folded.items() if isinstance(part, FoldedConv)}
        self.scales = {name: part for name, part in folded.items() if isinstance(part, Scale)}
        self.constants = {name: part for name, part in folded.items() if isinstance(part, Constants)}
        self.shapes = {INPUT: graph.input_shape} | {op.name: op.shape for op in graph.ops}
        kernels = {part.output for part in self.kernels.values()}
        norms = {op.name for op in graph.ops if isinstance(op, BatchNorm) and op.name in self.scales}
        self.fused = _fusable(graph, kernels | norms)
        self.model = Model(INPUT, graph.output, {INPUT: Tensor(self.laid_out(graph.input_shape))})

    def emit(
        self,
        kind: str,
        inputs: tuple[str, ...],
        output: str,
        options: str | None = None,
        shape: Shape | None = None,
        fields: Mapping[str, int | float] | None = None,
        version: int = 1,
    ) -> str:
        """Appends an operator; `output` is a tensor of the graph, or another one of the given shape."""
        fields = dict(fields or {})
        if (activation := self.fused.get(output)) is not None:
            fields["FusedActivationFunction"] = FUSED[activation.function]
            output = activation.name
        self.model.tensors[output] = Tensor(self.laid_out(shape or self.shapes[output]))
        self.model.operators.append(Operator(kind, inputs, output, options, fields, version))
        return output

    def reshape(self, x: str, output: str, shape: Shape) -> str:
        """The tensor in another shape, given as of one image: (C, ...) is written as (N, ..., C)."""
        extents = self.laid_out(shape)
        wanted = self.constant(f"{output}.shape", extents, "int32")
        return self.emit("RESHAPE", (x, wanted), output, "ReshapeOptions", shape)

    def constant(self, name: str, values: Any, dtype: str = "float32") -> str:
        """A constant; one of a name that is there already is the same."""
        held = np.asarray(values, dtype, order="C")
        self.model.tensors[name] = Tensor(held.shape, dtype, held)
        return name

    def laid_out(self, shape: Shape) -> tuple[int, ...]:
        channels, *rest = shape
        return (self.batch, *rest, channels)


def _fusable(graph: Graph, weighted: set[str]) -> dict[str, Activation]:
    """Tensors of operators that can hold an activation, where one ReLU or ReLU6 alone reads them."""
    readers = Counter(name for op in graph.ops for name in op.inputs)
    able = weighted | {op.name for op in graph.ops if isinstance(op, Add | Multiply)}
    return {
        op.inputs[0]: op
        for op in graph.ops
        if isinstance(op, Activation) and op.function in FUSED
        if op.inputs[0] in able and readers[op.inputs[0]] == 1
    }
