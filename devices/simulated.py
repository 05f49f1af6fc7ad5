"""A made-up device: a roofline with warm-up, noise, spikes and a drifting clock, all from one seed.

Nothing is run and nobody waits: time passes on a virtual clock. A session has a call overhead, so a
network cut into units takes longer than the whole, as on real devices.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import onnx

from ..errors import DeviceError, UserError
from .base import Artifact, DeviceState, Requirement, Sample, Setting, SettingRequest
from .card import DeviceCard

_MACS_PER_MS = {"dense": 2e7, "depthwise": 4e6, "linear": 8e6}
_BYTES_PER_MS = 1e7
_LAUNCH_MS = 0.004
_CALL_MS = 0.02
_WARMUP_EXCESS, _WARMUP_DECAY = 0.4, 0.5
_NOISE = 0.02
_SPIKE_CHANCE, _SPIKE_RANGE = 0.02, (1.5, 3.0)
_DRIFT, _DRIFT_RUNS = 0.03, 400.0


class SimulatedDevice:
    """`refuse` gives a reason for artifacts that it will not open, None for the others."""

    accepts = ("onnx",)

    def __init__(
        self,
        card: DeviceCard,
        seed: int = 0,
        refuse: Callable[[Artifact], str | None] = lambda artifact: None,
    ) -> None:
        self._card, self._refuse = card, refuse
        self._random = random.Random(seed)
        self._runs = 0
        self.name = card.name

    def requirements(self) -> Sequence[Requirement]:
        return [Requirement("onnx", True, onnx.__version__)]

    def identity(self) -> Mapping[str, str]:
        return {"cpu": "simulated"}

    def versions(self) -> Mapping[str, str]:
        return {"onnx": onnx.__version__}

    def setting(self, request: SettingRequest) -> Setting:
        setting = self._card.setting(request, "free")
        if setting.precision != "fp32":
            raise UserError(f"the simulated device runs fp32, not '{setting.precision}'")
        if setting.threads > 64:
            raise UserError(f"--threads {setting.threads} is more than the simulated device's 64 cores")
        return setting

    def state(self) -> DeviceState:
        return DeviceState(load_1min=0.0, cpu_mhz=2000.0 / self._clock(), temperature_celsius=40.0)

    def open(self, artifact: Artifact, setting: Setting) -> SimulatedSession:
        reason = self._refuse(artifact)
        if reason is not None:
            raise DeviceError(reason)
        return SimulatedSession(self, true_ms(artifact, setting))

    def reading_ms(self, steady_ms: float, run: int) -> float:
        """What the clock says for the run-th run of something that takes `steady_ms`."""
        self._runs += 1
        warmup = 1 + _WARMUP_EXCESS * _WARMUP_DECAY**run
        noise = math.exp(self._random.gauss(0, _NOISE))
        spike = self._random.uniform(*_SPIKE_RANGE) if self._random.random() < _SPIKE_CHANCE else 1.0
        return steady_ms * warmup * noise * spike * self._clock()

    def _clock(self) -> float:
        return 1 + _DRIFT * math.sin(self._runs / _DRIFT_RUNS)


class SimulatedSession:
    """An artifact with its computed latency."""

    def __init__(self, device: SimulatedDevice, steady_ms: float) -> None:
        self._device, self._steady_ms, self._run = device, steady_ms, 0

    def time(self, runs: int) -> Sequence[Sample]:
        samples = []
        for _ in range(runs):
            samples.append(Sample(self._device.reading_ms(self._steady_ms, self._run)))
            self._run += 1
        return samples

    def close(self) -> None:
        """Nothing is held."""


def true_ms(artifact: Artifact, setting: Setting) -> float:
    """The latency without warm-up, noise, spikes and drift; raises DeviceError for a damaged file."""
    try:
        model = onnx.shape_inference.infer_shapes(onnx.load(str(artifact.path)), strict_mode=True)
    except Exception as error:
        raise DeviceError(
            f"the simulated device cannot read {artifact.path.name} ({type(error).__name__})"
        ) from error
    if not model.graph.node:
        raise DeviceError(f"the simulated device finds no operations in {artifact.path.name}")
    shapes = _fixed_shapes(model.graph)
    work = 0.0
    for node in model.graph.node:
        # An input that is left out has no name.
        names = [name for name in (*node.input, node.output[0]) if name]
        unknown = [name for name in names if name not in shapes]
        if unknown:
            raise DeviceError(
                f"the simulated device finds no fixed shape of '{unknown[0]}' in {artifact.path.name}"
            )
        work += _node_ms(node, names, shapes)
    return float(_CALL_MS + work / setting.threads**0.9)


def _fixed_shapes(graph: Any) -> dict[str, list[int]]:
    found = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.value_info, *graph.input, *graph.output):
        tensor = value.type.tensor_type
        if tensor.HasField("shape") and all(extent.HasField("dim_value") for extent in tensor.shape.dim):
            found[value.name] = [extent.dim_value for extent in tensor.shape.dim]
    return found


def _node_ms(node: Any, names: Sequence[str], shapes: Mapping[str, list[int]]) -> float:
    output = prod(shapes[node.output[0]])
    traffic = 4 * sum(prod(shapes[name]) for name in names) / _BYTES_PER_MS
    macs = 0.0
    kind = "dense"
    if node.op_type == "Conv":
        weight = shapes[node.input[1]]
        kind = "depthwise" if weight[1] == 1 and weight[0] > 1 else "dense"
        macs = output * prod(weight[1:])
    elif node.op_type in ("Gemm", "MatMul"):
        kind, macs = "linear", output * shapes[node.input[0]][-1]
    return max(macs / _MACS_PER_MS[kind], traffic) + _LAUNCH_MS
