"""Someone else's ONNX file -> Graph."""

from __future__ import annotations

from pathlib import Path

import onnx

from ...errors import NetworkError, UserError, first_line
from ...zen.graph import Graph
from .onnx_nodes import OnnxNodes


def graph_of_onnx(source: Path | onnx.ModelProto, shape: tuple[int, ...] | None = None) -> Graph:
    """The graph that a file or model computes, for one image; its weights are left behind.

    `shape`: channels, height and width where the file leaves some of them free. Batch norm that was folded
    into a convolution stays folded. Raises NetworkError where an operation has no counterpart or a shape is
    not fixed.
    """
    model = source if isinstance(source, onnx.ModelProto) else _load(source)
    try:
        onnx.checker.check_model(model if model is source else str(source))
    except onnx.checker.ValidationError as error:
        raise NetworkError(f"the ONNX file is not valid ({first_line(error)}); export it again") from None
    return OnnxNodes(model.graph, shape).graph()


def _load(path: Path) -> onnx.ModelProto:
    try:
        # Weights beside the file are not needed: only their shapes are read.
        return onnx.load(str(path), load_external_data=False)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except Exception as error:  # noqa: BLE001 - protobuf raises classes of its own
        raise NetworkError(f"{path} is not an ONNX file ({type(error).__name__})") from None
