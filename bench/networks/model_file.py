"""FileSubject: a user's ONNX or TFLite file, as a network and as what is timed."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

from ...devices.base import Artifact, Setting, TensorSpec
from ...errors import NetworkError, UserError
from ...zen.graph_network import AnyNetwork, GraphNetwork
from ...zen.importing.read_graph import ReadGraph
from ...zen.network import Network, from_json
from ..export import NETWORK_KEY, PRECISION_KEY
from .file_inputs import FileInput, leading, shaped, sized, specs, valued


@dataclass(frozen=True)
class FileSubject:
    """A user's ONNX or TFLite file; `network` where zenbench wrote it, `precision` where it tells."""

    path: Path
    format: str
    sha256: str
    inputs: tuple[FileInput, ...]
    network: Network | None
    precision: str

    @property
    def key(self) -> str:
        return f"file:{self.sha256[:16]}"

    def __str__(self) -> str:
        return str(self.path)

    @staticmethod
    def read(path: Path) -> FileSubject:
        """Raises UserError where the file is unreadable or not what its suffix says."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}") from None
        read = _read_tflite if path.suffix == ".tflite" else _read_onnx
        inputs, text, precision = read(data, path)
        network = _network(text, path) if text else None
        digest = hashlib.sha256(data).hexdigest()
        return FileSubject(path, path.suffix[1:], digest, inputs, network, precision)

    def sized(self, resolution: int) -> FileSubject:
        """With the height and width that the file leaves free; UserError where it has others."""
        return self._with(sized, resolution)

    def shaped(self, shapes: Mapping[str, tuple[int, ...]]) -> FileSubject:
        """With whole shapes of inputs by name; UserError where the file does not take one."""
        return self._with(shaped, shapes)

    def valued(self, values: Mapping[str, float]) -> FileSubject:
        """With inputs filled by one number each, by name; UserError where one does not hold its number."""
        return self._with(valued, values)

    def _with(
        self, change: Callable[[tuple[FileInput, ...], Any], tuple[FileInput, ...]], value: Any
    ) -> FileSubject:
        with _named(self.path):
            return replace(self, inputs=change(self.inputs, value))

    @property
    def digest(self) -> str:
        return self.network.digest if self.network else self.key

    def as_network(self) -> AnyNetwork:
        """The network that zenbench wrote, else what the file computes, priced where it cannot be read.

        Raises NetworkError where it can be neither.
        """
        if self.network:
            return self.network
        try:
            return GraphNetwork(str(self), self.read_graph(), self.digest)
        except NetworkError as error:
            priced = self.read_graph(prices=True)
            reason = str(error).removeprefix(f"{self.path}: ")
            return GraphNetwork(str(self), priced, self.digest, unread=reason)

    def read_graph(self, prices: bool = False) -> ReadGraph:
        """What the file computes, with its weights; NetworkError where it cannot be read. With `prices`, as
        `read_onnx` has it."""
        with _named(self.path):
            given = specs(self.inputs, self._own_batch)
        images = [spec for spec in given if len(spec.shape) == 4]
        shape = images[0].shape[1:] if images else None
        try:
            if self.format == "tflite":
                from .tflite.graph import read_tflite

                return read_tflite(self.path, shape, prices)
            from .onnx_graph import read_onnx

            return read_onnx(self.path, shape, prices, {spec.name: spec.shape for spec in given})
        except NetworkError as error:
            raise NetworkError(f"{self.path}: {error}") from None

    @property
    def _own_batch(self) -> int:
        first = leading(self.inputs)
        return first.batch if first and isinstance(first.batch, int) else 1

    def artifact(self, folder: Path, setting: Setting, file_format: str) -> Artifact:
        """The file as it is, whatever form is asked for."""
        inputs = self.inputs_in(setting)
        return Artifact(self.format, self.path, self.sha256, inputs, setting.batch, setting.precision)

    def inputs_in(self, setting: Setting) -> tuple[TensorSpec, ...]:
        """What the file takes in a setting; UserError or NetworkError where it does not fit that."""
        with _named(self.path):
            inputs = specs(self.inputs, setting.batch)
        if self.precision != setting.precision:
            raise UserError(
                f"{self.path} is {self.precision}, the setting asks for {setting.precision}; "
                f"give --precision {self.precision}"
            )
        return inputs


def _network(text: str, path: Path) -> Network:
    try:
        return from_json(json.loads(text))
    except (ValueError, RecursionError, NetworkError) as error:
        raise NetworkError(f"{path} holds a damaged network: {error}") from None


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Puts the file's name before what is wrong with its inputs."""
    try:
        yield
    except (UserError, NetworkError) as error:
        raise type(error)(f"{path} {error}") from None


_FileText = tuple[tuple[FileInput, ...], str | None, str]
"""A file's inputs, the network in its metadata, and its precision."""


def _read_onnx(data: bytes, path: Path) -> _FileText:
    import onnx

    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # noqa: BLE001 - protobuf raises classes of its own
        raise NetworkError(f"{path} is not an ONNX file ({type(error).__name__})") from None
    if not model.HasField("graph"):
        raise NetworkError(f"{path} is not an ONNX file (it holds no graph)")
    constants = {tensor.name for tensor in model.graph.initializer}
    recurrent = {
        name
        for node in model.graph.node
        if node.op_type in _RECURRENT and not any(one.name == "layout" and one.i for one in node.attribute)
        for name in (*node.input[:1], *node.input[5:7])  # steps, and the states before the first
    }
    found = []
    for value in model.graph.input:
        if value.name not in constants:
            tensor = value.type.tensor_type
            if not value.type.HasField("tensor_type") or not tensor.HasField("shape"):
                raise NetworkError(
                    f"input '{value.name}' of {path} is no tensor of a known rank; export it with its axes"
                )
            extents = tuple(
                extent.dim_value if extent.dim_value > 0 else extent.dim_param for extent in tensor.shape.dim
            )
            dtype = _numbers(tensor.elem_type)
            if dtype is None:
                raise NetworkError(
                    f"input '{value.name}' of {path} takes what zenbench cannot fill; export it with float, "
                    "integer or boolean inputs"
                )
            found.append(FileInput(value.name, extents, dtype, int(value.name in recurrent)))
    properties = {entry.key: entry.value for entry in model.metadata_props}
    precision = _precision(model)
    if precision != "int8":  # what others quantise keeps the metadata that we wrote
        precision = properties.get(PRECISION_KEY) or precision
    return tuple(found), properties.get(NETWORK_KEY), precision


_RECURRENT = ("RNN", "GRU", "LSTM")


def _numbers(element_type: int) -> str | None:
    """NumPy's name of an ONNX element type; None for text, and for numbers that NumPy does not have."""
    from onnx.helper import tensor_dtype_to_np_dtype

    try:
        dtype = tensor_dtype_to_np_dtype(element_type)
    except KeyError:
        return None
    return dtype.name if dtype.kind in "fiub" else None


def _precision(model: Any) -> str:
    """What an ONNX file computes in: int8 where it quantises, by whatever form, else that of its weights."""
    import onnx

    bodies = (model.graph, *model.functions)
    if any(_QUANTISES.search(node.op_type) for body in bodies for node in _nodes(body)):
        return "int8"
    bytes_of = Counter[int]()
    for tensor in model.graph.initializer:
        bytes_of[tensor.data_type] += prod(tensor.dims)
    half = bytes_of[onnx.TensorProto.FLOAT16]
    return "fp16" if half > bytes_of[onnx.TensorProto.FLOAT] else "fp32"


def _nodes(body: Any) -> Iterator[Any]:
    """Of a graph or function, those in the branches of its nodes too."""
    for node in body.node:
        yield node
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from _nodes(inner)


_QUANTISES = re.compile(
    r"^(?:QuantizeLinear|DequantizeLinear|DynamicQuantize\w*|QLinear\w+|QGemm|\w+Integer\w*)$"
)
"""Q/DQ pairs, QOperator, and dynamic quantisation (onnxruntime's quantisation formats)."""


def _read_tflite(data: bytes, path: Path) -> _FileText:
    from ..export.tflite_file import read_contents

    try:
        contents = read_contents(data)
    except NetworkError as error:
        raise NetworkError(f"{path} is {error}") from None
    for name, tensor in contents.inputs:
        if min(tensor.shape[1:], default=1) < 1:
            raise NetworkError(f"input '{name}' of {path} has a free size; convert it with fixed extents")
    # LiteRT runs a file whose batch is free on one image unless told otherwise.
    found = [FileInput(name, _one_image(tensor.shape), tensor.dtype) for name, tensor in contents.inputs]
    narrow = {"int8": "int8", "float16": "fp16"}
    precisions = [name for dtype, name in narrow.items() if dtype in contents.dtypes]
    return tuple(found), contents.metadata.get(NETWORK_KEY), precisions[0] if precisions else "fp32"


def _one_image(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(max(extent, 1) for extent in shape)
