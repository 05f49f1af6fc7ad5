"""Subjects: what can be timed (a workload, a network, or a file), each with a key and an artifact."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...devices.base import Artifact, Setting
from ...zen.graph import Graph
from ...zen.network import Network
from ...zen.workload import Workload
from ..export.timing_weights import timing_weights
from ..networks.model_file import FileSubject

_SUFFIXES = {"torch-export": "pt2"}
_NETWORK = "network:"


def is_network_key(key: str) -> bool:
    return key.startswith(_NETWORK)


class Subject(Protocol):
    """`key` tells it from all others in a journal; `artifact` gives the file that a device runs, written in
    a format that it accepts."""

    @property
    def key(self) -> str: ...

    def artifact(self, folder: Path, setting: Setting, file_format: str) -> Artifact: ...


@dataclass(frozen=True)
class WorkloadSubject:
    """One workload with weights that are only for timing."""

    workload: Workload

    @property
    def key(self) -> str:
        return str(self.workload)

    def artifact(self, folder: Path, setting: Setting, file_format: str) -> Artifact:
        return _written(self.workload.graph(), folder, self.key, setting, file_format)


@dataclass(frozen=True)
class NetworkSubject:
    """A whole network with weights that are only for timing."""

    network: Network

    @property
    def key(self) -> str:
        return f"{_NETWORK}{self.network.digest}"

    def artifact(self, folder: Path, setting: Setting, file_format: str) -> Artifact:
        return _written(self.network.graph(), folder, self.key, setting, file_format)


def _written(graph: Graph, folder: Path, key: str, setting: Setting, file_format: str) -> Artifact:
    name = hashlib.sha256(key.encode()).hexdigest()[:24]
    path = folder / f"{name}.{_SUFFIXES.get(file_format, file_format)}"
    weights, batch, precision = timing_weights(graph), setting.batch, setting.precision
    if file_format == "tflite":
        from ..export.tflite import write_tflite

        return write_tflite(graph, weights, path, batch, precision=precision)
    if file_format == "torch-export":
        from ..export.torch_export import write_torch_export

        return write_torch_export(graph, weights, path, batch, precision)
    from ..export.onnx import write_onnx

    return write_onnx(graph, weights, path, batch, precision=precision)


def subject_of(item: Workload | Network | FileSubject) -> Subject:
    """What is timed of an item: a file is its own subject."""
    if isinstance(item, Workload):
        return WorkloadSubject(item)
    return NetworkSubject(item) if isinstance(item, Network) else item
