"""The shapes of all tensors of an ONNX file whose inputs have fixed ones."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from ...errors import NetworkError, first_line
from ...zen.graph import Shape

_SMALL = 1024
"""Values of a constant that may be a shape. Larger ones are weights, whose values no shape needs."""

_OF_SHAPES = frozenset(
    (
        *("Slice", "Concat", "Gather", "Cast", "Squeeze", "Unsqueeze", "Reshape", "Transpose", "Identity"),
        *(
            "Add",
            "Sub",
            "Mul",
            "Div",
            "Neg",
            "Floor",
            "Ceil",
            "Sqrt",
            "Mod",
            "Min",
            "Max",
            "Clip",
            "Abs",
            "ReduceProd",
        ),
        *("Equal", "Less", "Greater", "Not", "And", "Or", "Where"),
    )
)
"""What files compute shapes with, and gives no more values than it takes."""
_FILLING = frozenset(("ConstantOfShape", "Expand", "Tile", "Range"))
"""What does so too, and could give any number of values."""


def shapes_and_values(
    model: onnx.ModelProto, inputs: dict[str, Shape]
) -> tuple[dict[str, Shape], dict[str, NDArray[Any]]]:
    """The shapes of tensors that are known, batch and all, and the values of those that are small and follow
    from shapes, by name; `inputs`: the shapes of those that are no constants.

    onnx infers shapes from shapes. What files compute from shapes, such as the target of a Reshape, is
    computed here, and onnx is asked again, until nothing new comes out.
    """
    part = _without_weights(model, inputs)
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in part.graph.initializer}
    while True:
        found = _inferred(part)
        shapes |= {value.name: shape for value in found if (shape := _fixed_shape(value)) is not None}
        kept, new = [], []
        for node in part.graph.node:
            made = _value(node, values, shapes, part)
            if made is not None:
                shapes[node.output[0]], values[node.output[0]] = made.shape, made
                new.append(numpy_helper.from_array(made, node.output[0]))
            elif any(_is_open(node, shapes.get(name)) for name in node.output if name):
                kept.append(node)
        if not new:
            return shapes, values
        made_before = {value.name: value for value in found} | {one.name: one for one in part.graph.input}
        read = {name for node in kept for name in node.input} - values.keys()
        made_later = {name for node in kept for name in node.output}
        del part.graph.node[:], part.graph.input[:], part.graph.output[:]
        part.graph.node.extend(kept)
        part.graph.input.extend(made_before[x] for x in sorted(read - made_later) if x in made_before)
        part.graph.initializer.extend(new)


def _without_weights(model: onnx.ModelProto, inputs: dict[str, Shape]) -> onnx.ModelProto:
    graph = onnx.GraphProto(name=model.graph.name)
    for node in model.graph.node:
        constant = next((one.t for one in node.attribute if one.name == "value"), None)
        if node.op_type == "Constant" and constant is not None and prod(constant.dims) > _SMALL:
            graph.input.append(_value_info(node.output[0], constant.data_type, constant.dims))
        else:
            graph.node.append(node)
    for value in model.graph.input:
        if value.name in inputs:
            graph.input.append(_value_info(value.name, value.type.tensor_type.elem_type, inputs[value.name]))
    for tensor in model.graph.initializer:
        if prod(tensor.dims) <= _SMALL and tensor.data_location != onnx.TensorProto.EXTERNAL:
            graph.initializer.append(tensor)
        else:
            graph.input.append(_value_info(tensor.name, tensor.data_type, tensor.dims))
    for value in model.graph.output:
        graph.output.append(onnx.ValueInfoProto(name=value.name))
    found = onnx.ModelProto(ir_version=model.ir_version, graph=graph)
    found.opset_import.extend(model.opset_import)
    found.functions.extend(model.functions)
    return found


def _value_info(name: str, kind: int, shape: Any) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, tuple(shape))


def _inferred(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    try:
        graph = shape_inference.infer_shapes(model, data_prop=True).graph
    except Exception as error:  # noqa: BLE001 - it raises classes of its own
        raise NetworkError(
            f"the shapes of the ONNX file cannot be told ({first_line(error)}); export it again"
        ) from None
    return [*graph.input, *graph.value_info, *graph.output]


def _fixed_shape(value: onnx.ValueInfoProto) -> Shape | None:
    extents = list(value.type.tensor_type.shape.dim)
    is_known = value.type.tensor_type.HasField("shape")
    if not is_known or not all(one.HasField("dim_value") and one.dim_value >= 0 for one in extents):
        return None
    return tuple(one.dim_value for one in extents)


def _is_open(node: onnx.NodeProto, shape: Shape | None) -> bool:
    """Whether the shape of an output is to be found yet, or its value, where it may be a shape itself."""
    if shape is None:
        return True
    return prod(shape) <= _SMALL and node.op_type in _OF_SHAPES | _FILLING | {"Shape"}


def _value(
    node: onnx.NodeProto,
    values: dict[str, NDArray[Any]],
    shapes: dict[str, Shape],
    model: onnx.ModelProto,
) -> NDArray[Any] | None:
    """What a node gives, where it is small and follows from values and shapes that are known."""
    if len(node.output) != 1 or node.domain not in ("", "ai.onnx"):
        return None
    if node.op_type == "Constant" and [one.name for one in node.attribute] == ["value"]:
        return numpy_helper.to_array(node.attribute[0].t)
    if node.op_type == "Shape" and node.input[0] in shapes:
        start, end = ({one.name: one.i for one in node.attribute}.get(name) for name in ("start", "end"))
        return np.array(shapes[node.input[0]], np.int64)[start:end]
    if node.op_type in _FILLING:
        if prod(shapes.get(node.output[0], (_SMALL + 1,))) > _SMALL:
            return None
    elif node.op_type not in _OF_SHAPES and node.op_type != "Constant":
        return None
    given = [name for name in node.input if name]
    if not all(name in values for name in given):
        return None
    graph = helper.make_graph(
        [node],
        "value",
        [onnx.ValueInfoProto(name=name) for name in given],
        [onnx.ValueInfoProto(name=node.output[0])],
    )
    alone = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    try:
        (found,) = ReferenceEvaluator(alone).run(None, {name: values[name] for name in given})
    except Exception:  # noqa: BLE001 - it raises what it likes, and the shape stays unknown
        return None
    return np.asarray(found)
