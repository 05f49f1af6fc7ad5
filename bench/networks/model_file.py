"""FileSubject: a user's ONNX or TFLite file, as a network and as what is timed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from ...devices.base import Artifact, Setting, TensorSpec
from ...errors import NetworkError, UserError
from ...zen.graph import Graph
from ...zen.network import Network, from_json
from ..export import NETWORK_KEY, PRECISION_KEY


@dataclass(frozen=True)
class FileSubject:
    """A user's ONNX or TFLite file; `network` where zenbench wrote it, `precision` where it tells."""

    path: Path
    format: str
    sha256: str
    inputs: tuple[TensorSpec, ...]
    network: Network | None
    precision: str | None

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
        for spec in inputs:
            if not spec.shape or not all(extent > 0 for extent in spec.shape):
                raise NetworkError(
                    f"input '{spec.name}' of {path} has no fixed shape; export it with fixed extents"
                )
        network = _network(text, path) if text else None
        digest = hashlib.sha256(data).hexdigest()
        return FileSubject(path, path.suffix[1:], digest, inputs, network, precision)

    @property
    def digest(self) -> str:
        return self.network.digest if self.network else self.sha256[:16]

    def graph(self) -> Graph:
        """What the file computes; raises NetworkError, naming the operation, where it cannot be read."""
        if self.network:
            return self.network.graph()
        if self.format == "tflite":
            raise NetworkError(
                f"{self.path} was not written by zenbench, so it can be measured but not read as a network; "
                "give it as an ONNX file instead"
            )
        from .onnx_graph import graph_of_onnx

        try:
            return graph_of_onnx(self.path)
        except NetworkError as error:
            raise NetworkError(f"{self.path}: {error}") from None

    def artifact(self, folder: Path, setting: Setting, file_format: str) -> Artifact:
        """The file as it is, whatever form is asked for."""
        batches = {spec.shape[0] for spec in self.inputs if spec.shape}
        if batches != {setting.batch}:
            raise UserError(
                f"{self.path} is written for batch {', '.join(map(str, sorted(batches)))}, "
                f"the setting asks for {setting.batch}; give --batch accordingly"
            )
        if self.precision not in (None, setting.precision):
            raise UserError(
                f"{self.path} is {self.precision}, the setting asks for {setting.precision}; "
                "give --precision accordingly"
            )
        return Artifact(self.format, self.path, self.sha256, self.inputs, setting.batch, setting.precision)


def _network(text: str, path: Path) -> Network:
    try:
        return from_json(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise NetworkError(f"{path} holds a damaged network: {error}") from None


_FileText = tuple[tuple[TensorSpec, ...], str | None, str | None]
"""A file's inputs, the network in its metadata, and its precision."""


def _read_onnx(data: bytes, path: Path) -> _FileText:
    import onnx
    from onnx.helper import tensor_dtype_to_np_dtype

    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # noqa: BLE001 - protobuf raises classes of its own
        raise NetworkError(f"{path} is not an ONNX file ({type(error).__name__})") from None
    constants = {tensor.name for tensor in model.graph.initializer}
    specs = []
    for value in model.graph.input:
        if value.name not in constants:
            tensor = value.type.tensor_type
            shape = tuple(extent.dim_value for extent in tensor.shape.dim)
            specs.append(TensorSpec(value.name, shape, str(tensor_dtype_to_np_dtype(tensor.elem_type))))
    properties = {entry.key: entry.value for entry in model.metadata_props}
    return tuple(specs), properties.get(NETWORK_KEY), properties.get(PRECISION_KEY)


def _read_tflite(data: bytes, path: Path) -> _FileText:
    from ..export.tflite_file import read_contents

    try:
        contents = read_contents(data)
    except NetworkError as error:
        raise NetworkError(f"{path} is {error}") from None
    specs = [TensorSpec(name, tensor.shape, tensor.dtype) for name, tensor in contents.inputs]
    narrow = {"int8": "int8", "float16": "fp16"}
    precisions = [name for dtype, name in narrow.items() if dtype in contents.dtypes]
    return tuple(specs), contents.metadata.get(NETWORK_KEY), precisions[0] if precisions else "fp32"
