"""Subjects: what can be timed (a workload in its context or alone, the ends of contexts, a network, a file),
each with a key and an artifact."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ...devices.base import Artifact, Setting, TensorSpec
from ...zen.graph import Graph
from ...zen.graph_network import AnyNetwork, GraphNetwork
from ...zen.workload import Workload
from ..export.timing_weights import timing_weights
from ..export.weights import Array, state_arrays
from ..networks.model_file import FileSubject
from ..networks.named.weights import takes_weights
from ..networks.reading import NetworkLike
from .contexts import Ends, context_graph, is_ends_key

if TYPE_CHECKING:  # it imports torch
    from ..networks.named.modules import ModuleNetwork

_SUFFIXES = {"torch-export": "pt2"}
_NETWORK, _ALONE = "network:", "alone:"


def is_network_key(key: str) -> bool:
    return key.startswith(_NETWORK)


def is_workload_key(key: str) -> bool:
    """Whether it is a workload's in its context, the usual way."""
    return not is_alone_key(key) and not is_network_key(key) and not is_ends_key(key)


def is_alone_key(key: str) -> bool:
    return key.startswith(_ALONE)


def alone_key(workload_key: str) -> str:
    return f"{_ALONE}{workload_key}"


def workload_key(key: str) -> str:
    """Of a workload's subject, in its context or alone."""
    return key.removeprefix(_ALONE)


class Subject(Protocol):
    """`key` tells it from all others in a journal; `artifact` gives the file that a device runs, written in
    a format that it accepts."""

    @property
    def key(self) -> str: ...

    def artifact(self, folder: Path, setting: Setting, file_format: str) -> Artifact: ...


class _GraphSubject(ABC):
    """A subject that is a graph, with weights that serve for timing."""

    @property
    @abstractmethod
    def key(self) -> str: ...

    @abstractmethod
    def graph(self) -> Graph: ...

    def artifact(self, folder: Path, setting: Setting, file_format: str) -> Artifact:
        return written(self.graph(), folder, self.key, setting, file_format)


@dataclass(frozen=True)
class WorkloadSubject(_GraphSubject):
    """One workload in its context."""

    workload: Workload

    @property
    def key(self) -> str:
        return str(self.workload)

    def graph(self) -> Graph:
        return context_graph(self.workload)


@dataclass(frozen=True)
class AloneSubject(_GraphSubject):
    """One workload as a graph of its own."""

    workload: Workload

    @property
    def key(self) -> str:
        return alone_key(str(self.workload))

    def graph(self) -> Graph:
        return self.workload.graph()


@dataclass(frozen=True)
class EndsSubject(_GraphSubject):
    """The ends of contexts, with nothing between them."""

    ends: Ends

    @property
    def key(self) -> str:
        return self.ends.key

    def graph(self) -> Graph:
        return self.ends.graph()


@dataclass(frozen=True)
class NetworkSubject(_GraphSubject):
    """A whole network with weights that are only for timing."""

    network: AnyNetwork

    @property
    def key(self) -> str:
        return f"{_NETWORK}{self.network.digest}"

    def graph(self) -> Graph:
        return self.network.graph()


@dataclass(frozen=True)
class ModuleSubject(NetworkSubject):
    """A whole module that is not read, as torch exports it."""

    network: ModuleNetwork

    def artifact(self, folder: Path, setting: Setting, file_format: str) -> Artifact:
        """Raises NetworkError where only what was read can be written."""
        from ..networks.named.export import write_module

        if (file_format, setting.precision) != ("onnx", "fp32"):
            self.network.require_read()
        path = folder / f"{self.network.digest}.onnx"
        shape = self.network.graph().input_shape
        write_module(self.network.module, shape, path, setting.batch)
        inputs = (TensorSpec("input", (setting.batch, *shape)),)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return Artifact(file_format, path, digest, inputs, setting.batch, setting.precision)


@dataclass(frozen=True, eq=False)
class TrainedSubject(NetworkSubject):
    """A whole network with the weights of a file."""

    weights_sha256: str
    state: Mapping[str, Array]

    @staticmethod
    def of(network: AnyNetwork, weights: Path) -> TrainedSubject:
        """Raises UserError where the weights are not this network's."""
        from ...zen.module import build_module, load_state
        from ..export.weights_file import read_weights, weights_digest

        if isinstance(network, GraphNetwork) and takes_weights(network, weights):
            network.require_read()
            return TrainedSubject(network, weights_digest(weights), network.read.state())
        module = build_module(network.graph())
        load_state(module, read_weights(weights)[0], weights)
        return TrainedSubject(network, weights_digest(weights), state_arrays(module))

    @property
    def key(self) -> str:
        return f"{super().key}:{self.weights_sha256[:16]}"

    def artifact(self, folder: Path, setting: Setting, file_format: str) -> Artifact:
        return written(self.graph(), folder, self.key, setting, file_format, self.state)


def written(
    graph: Graph,
    folder: Path,
    key: str,
    setting: Setting,
    file_format: str,
    weights: Mapping[str, Array] | None = None,
) -> Artifact:
    """The file of a graph, with weights that serve for timing where none are given."""
    name = hashlib.sha256(key.encode()).hexdigest()[:24]
    path = folder / f"{name}.{_SUFFIXES.get(file_format, file_format)}"
    weights = timing_weights(graph) if weights is None else weights
    batch, precision = setting.batch, setting.precision
    if file_format == "tflite":
        from ..export.tflite import write_tflite

        return write_tflite(graph, weights, path, batch, precision=precision)
    if file_format == "torch-export":
        from ..export.torch_export import write_torch_export

        return write_torch_export(graph, weights, path, batch, precision)
    from ..export.onnx import write_onnx

    return write_onnx(graph, weights, path, batch, precision=precision)


def subject_of(item: Workload | NetworkLike) -> Subject:
    """What is timed of an item: a file is its own subject."""
    if isinstance(item, Workload):
        return WorkloadSubject(item)
    if isinstance(item, FileSubject):
        return item
    if isinstance(item, GraphNetwork) and item.unread is not None:
        from ..networks.named.modules import ModuleNetwork

        if isinstance(item, ModuleNetwork):
            return ModuleSubject(item)
    return NetworkSubject(item)
