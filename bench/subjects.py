"""Subjects: what can be timed (a workload, a network, an ONNX file), each with a key and an artifact."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..devices.base import Artifact, Setting, TensorSpec
from ..errors import NetworkError, UserError
from ..zen.graph import Graph
from ..zen.network import Network, from_json
from ..zen.workload import Workload
from .export.weights import Array

WEIGHT_SEED = 0
_NETWORK = "network:"


def is_network_key(key: str) -> bool:
    return key.startswith(_NETWORK)


class Subject(Protocol):
    """`key` tells it from all others in a journal; `artifact` writes the file that a device runs."""

    @property
    def key(self) -> str: ...

    def artifact(self, folder: Path, setting: Setting) -> Artifact: ...


@dataclass(frozen=True)
class WorkloadSubject:
    """One workload with seeded weights."""

    workload: Workload

    @property
    def key(self) -> str:
        return str(self.workload)

    def artifact(self, folder: Path, setting: Setting) -> Artifact:
        return _written(self.workload.graph(), folder, self.key, setting)


@dataclass(frozen=True)
class NetworkSubject:
    """A whole network with seeded weights."""

    network: Network

    @property
    def key(self) -> str:
        return f"{_NETWORK}{self.network.digest}"

    def artifact(self, folder: Path, setting: Setting) -> Artifact:
        return _written(self.network.graph(), folder, self.key, setting)


@dataclass(frozen=True)
class FileSubject:
    """A user's own ONNX file; `network` where zenbench wrote it."""

    path: Path
    sha256: str
    inputs: tuple[TensorSpec, ...]
    network: Network | None

    @property
    def key(self) -> str:
        return f"file:{self.sha256[:16]}"

    def __str__(self) -> str:
        return str(self.path)

    @staticmethod
    def read(path: Path) -> FileSubject:
        """Raises UserError where the file is unreadable or no ONNX file."""
        import onnx

        from .export.onnx import NETWORK_KEY

        try:
            data = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}") from None
        try:
            model = onnx.load_model_from_string(data)
        except Exception as error:  # noqa: BLE001 - protobuf raises classes of its own
            raise NetworkError(f"{path} is not an ONNX file ({type(error).__name__})") from None
        texts = [entry.value for entry in model.metadata_props if entry.key == NETWORK_KEY]
        network = from_json(json.loads(texts[0])) if texts else None
        return FileSubject(path, hashlib.sha256(data).hexdigest(), _onnx_inputs(model, path), network)

    @property
    def digest(self) -> str:
        return self.network.digest if self.network else self.sha256[:16]

    def graph(self) -> Graph:
        """What the file computes; raises NetworkError, naming the operation, where it cannot be read."""
        if self.network:
            return self.network.graph()
        from .import_onnx import graph_of_onnx

        try:
            return graph_of_onnx(self.path)
        except NetworkError as error:
            raise NetworkError(f"{self.path}: {error}") from None

    def artifact(self, folder: Path, setting: Setting) -> Artifact:
        batches = {spec.shape[0] for spec in self.inputs if spec.shape}
        if batches != {setting.batch}:
            raise UserError(
                f"{self.path} is written for batch {', '.join(map(str, sorted(batches)))}, "
                f"the setting asks for {setting.batch}; give --batch accordingly"
            )
        return Artifact("onnx", self.path, self.sha256, self.inputs, setting.batch, setting.precision)


def _onnx_inputs(model: Any, path: Path) -> tuple[TensorSpec, ...]:
    from onnx.helper import tensor_dtype_to_np_dtype

    constants = {tensor.name for tensor in model.graph.initializer}
    specs = []
    for value in model.graph.input:
        if value.name in constants:
            continue
        tensor = value.type.tensor_type
        shape = tuple(extent.dim_value for extent in tensor.shape.dim)
        if not shape or not all(extent > 0 for extent in shape):
            raise NetworkError(
                f"input '{value.name}' of {path} has no fixed shape; export it with fixed extents"
            )
        specs.append(TensorSpec(value.name, shape, str(tensor_dtype_to_np_dtype(tensor.elem_type))))
    return tuple(specs)


def seeded_weights(graph: Graph, seed: int = WEIGHT_SEED) -> Mapping[str, Array]:
    """He-initialised weights with batch-norm statistics of one Gaussian batch, by torch's names."""
    import torch

    from ..zen.module import build_module, initialise

    module = build_module(graph)
    threads = torch.get_num_threads()
    # Units are small: several threads gain little, and beside one busy program they lose a factor of seven.
    torch.set_num_threads(1)
    try:
        initialise(module, seed)
    finally:
        torch.set_num_threads(threads)
    return state_arrays(module)


def state_arrays(module: Any) -> Mapping[str, Array]:
    """A torch module's parameters and buffers as arrays."""
    return {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}


def _written(graph: Graph, folder: Path, key: str, setting: Setting) -> Artifact:
    from .export.onnx import write_onnx

    name = hashlib.sha256(key.encode()).hexdigest()[:24]
    return write_onnx(graph, seeded_weights(graph), folder / f"{name}.onnx", setting.batch)
