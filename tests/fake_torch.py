"""Stands in for the parts of torch.cuda that need a GPU, around real modules that run on the CPU.

Fails on a run outside the driver's stream or inference mode, on a wrong layout or type, on zeros as data, on
a capture without a run before it, and on times that are read before the stream was waited for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

LAUNCH_MS = 0.05


class Stream:
    def __init__(self, place: Any) -> None:
        assert str(place) == "cuda:0"
        self.waits_for: list[Any] = []

    def wait_stream(self, other: Any) -> None:
        self.waits_for.append(other)

    def synchronize(self) -> None:
        assert Gpu.capturing is None, "waiting ends a capture"
        Gpu.done_ms = Gpu.now_ms


class Event:
    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing
        self.at_ms: float | None = None
        self.read = True

    def record(self, stream: Stream) -> None:
        assert stream is Gpu.current, "on another stream than the runs"
        assert self.read, "recorded over a time that nobody has read"
        self.at_ms, self.read = Gpu.now_ms, False

    def elapsed_time(self, end: "Event") -> float:
        assert self.at_ms is not None and end.at_ms is not None
        if end.at_ms > Gpu.done_ms:
            raise RuntimeError("CUDA error: device not ready")
        self.read = end.read = True
        return end.at_ms - self.at_ms


class CUDAGraph:
    runs, ms = 0, 0.0

    def replay(self) -> None:
        assert self.runs == 1 and Gpu.current is not DEFAULT
        Gpu.now_ms += self.ms


DEFAULT = SimpleNamespace()


class Gpu:
    """What the GPU has been doing: the stream in use, the capture under way, the time on its clock."""

    current: Any = DEFAULT
    capturing: CUDAGraph | None = None
    now_ms = done_ms = 0.0
    trouble: Exception | None = None
    emptied = 0


@contextmanager
def stream(own: Stream) -> Iterator[None]:
    Gpu.current, before = own, Gpu.current
    yield
    Gpu.current = before


@contextmanager
def graph(captured: CUDAGraph, stream: Stream) -> Iterator[None]:
    assert Gpu.current is stream and Gpu.now_ms > 0, "nothing ran before the capture"
    assert Gpu.done_ms == Gpu.now_ms, "work before the capture is still under way"
    Gpu.capturing = captured
    yield
    Gpu.capturing = None


def empty_cache() -> None:
    Gpu.emptied += 1


def watched(module: Any, inputs: Any) -> None:
    """Before each run of a loaded module."""
    (x,) = inputs
    assert Gpu.current is not DEFAULT and Gpu.current.waits_for == [DEFAULT]
    assert torch.is_inference_mode_enabled()
    assert torch.backends.cudnn.benchmark and not torch.backends.cudnn.allow_tf32
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert float(x.double().std()) > 0.5, "zeros are faster than numbers"
    weights = [p for p in module.parameters() if p.dim() == 4]
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in weights)
    if Gpu.trouble:
        raise Gpu.trouble
    if Gpu.capturing:
        Gpu.capturing.runs += 1
        Gpu.capturing.ms += x.numel() * 1e-6
    else:
        Gpu.now_ms += x.numel() * 1e-6 + LAUNCH_MS


class Program:
    def __init__(self, path: Path) -> None:
        self._program = torch.export.load(path)

    def module(self) -> Any:
        module = self._program.module()
        module.register_forward_pre_hook(watched)
        moves = module.to

        def to(*place: Any, **layout: Any) -> Any:
            return moves(**layout) if layout else self._moved(module, place)

        module.to = to
        return module

    def _moved(self, module: Any, place: Any) -> Any:
        assert [str(one) for one in place] == ["cuda:0"]
        return module


class Place(str):
    """cuda:0 by name; tensors moved there stay where they are."""


class FakeTorch:
    """torch with the parts that need a GPU stood in for."""

    def __init__(self, nvml: Any) -> None:
        self.version = SimpleNamespace(cuda="13.0")
        self.export = SimpleNamespace(load=Program)
        self.cuda = SimpleNamespace(
            Stream=Stream,
            Event=Event,
            CUDAGraph=CUDAGraph,
            stream=stream,
            graph=graph,
            current_stream=lambda place: DEFAULT,
            empty_cache=empty_cache,
            is_available=lambda: True,
            device_count=lambda: len(nvml.GPUS),
            get_device_properties=lambda index: SimpleNamespace(
                uuid=nvml.GPUS[index].uuid.removeprefix("GPU-")
            ),
            OutOfMemoryError=torch.cuda.OutOfMemoryError,
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    def device(self, kind: str, index: int) -> Any:
        return Place(f"{kind}:{index}")

    def from_numpy(self, values: Any) -> Any:
        tensor = torch.from_numpy(values)
        return SimpleNamespace(to=lambda place: tensor) if tensor.dim() else tensor
