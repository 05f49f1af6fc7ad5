"""Someone else's ONNX file -> Graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnx
from onnx import helper
from onnx.inliner import inline_local_functions

from ...errors import NetworkError, UserError, first_line
from ...zen.graph import Graph
from ...zen.importing.read_graph import ReadGraph
from .onnx_order import in_order, is_in_order
from .onnx_priced import PricedOnnxReader
from .onnx_prices import OnnxPrices
from .onnx_reader import OnnxReader


def graph_of_onnx(
    source: Path | onnx.ModelProto, shape: tuple[int, ...] | None = None, prices: bool = False
) -> Graph:
    """The graph alone of what `read_onnx` reads."""
    return read_onnx(source, shape, prices).graph


def read_onnx(
    source: Path | onnx.ModelProto,
    shape: tuple[int, ...] | None = None,
    prices: bool = False,
    inputs: Mapping[str, tuple[int, ...]] | None = None,
) -> ReadGraph:
    """The graph that a file or model computes, for one image.

    `shape`: channels, height and width where the file leaves some of them free; `inputs`: whole shapes by
    name. Batch norm that was folded
    into a convolution stays folded. Raises NetworkError where an operation has no counterpart or a shape is
    not fixed. With `prices`, each operation without a counterpart has its price instead, whatever the
    inputs, and the parameters are the weights that `weights_read` names.
    """
    model, folder = (source, None) if isinstance(source, onnx.ModelProto) else (_load(source), source.parent)
    if model.functions:  # as exporters keep a module's layers
        model = inline_local_functions(model)
    nodes = list(model.graph.node)
    try:
        if is_in_order(nodes):
            onnx.checker.check_model(model if folder is None else str(source))
        else:
            if folder is None:
                model = _copied(model)  # the caller's own stays as it is
            del model.graph.node[:]
            model.graph.node.extend(in_order(nodes))
            onnx.checker.check_model(_without_other_files(model))
    except onnx.checker.ValidationError as error:
        raise NetworkError(f"the ONNX file is not valid ({first_line(error)}); export it again") from None
    if prices:
        return PricedOnnxReader(model.graph, folder, OnnxPrices(model, shape, inputs)).read()
    return OnnxReader(model.graph, shape, folder, lambda: OnnxPrices(model, shape, inputs).values).read()


def _copied(model: onnx.ModelProto) -> onnx.ModelProto:
    found = onnx.ModelProto()
    found.CopyFrom(model)
    return found


def _without_other_files(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with weights that lie in other files as its inputs.

    Beside a model in memory the checker would look for them in the working directory. Where they may lie is
    checked when they are read.
    """
    if all(one.data_location != onnx.TensorProto.EXTERNAL for one in model.graph.initializer):
        return model
    found = _copied(model)
    del found.graph.initializer[:]
    known = {value.name for value in model.graph.input}
    for tensor in model.graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            found.graph.initializer.append(tensor)
        elif tensor.name not in known:
            found.graph.input.append(
                helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            )
    return found


def _load(path: Path) -> onnx.ModelProto:
    try:
        # Weights beside the file are not needed: only their shapes are read.
        return onnx.load(str(path), load_external_data=False)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except Exception as error:  # noqa: BLE001 - protobuf raises classes of its own
        raise NetworkError(f"{path} is not an ONNX file ({type(error).__name__})") from None
