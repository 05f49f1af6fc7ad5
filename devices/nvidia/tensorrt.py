"""NVIDIA GPUs through TensorRT: engines built from ONNX files, timed by CUDA events on a stream of our own.

`tensorrt-graph` replays each run as one CUDA graph, so that small kernels need not wait for their launch; it
is a runtime of its own because it decides a latency as much as the engine does.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from math import ceil, prod
from pathlib import Path
from statistics import fmean
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DeviceError, DeviceUnavailableError
from ..base import Artifact, Connection, Requirement, Sample, Setting, TensorSpec
from ..card import DeviceCard
from ..inputs import random_inputs
from . import cuda, tensorrt_api
from .gpu import NvidiaDevice, package_requirement
from .tensorrt_build import Request, build, engine_path, timing_cache_path

_GRAPH = "tensorrt-graph"
_TYPES = {"FLOAT": "float32", "HALF": "float16", "INT8": "int8"}


class TensorRtGpu(NvidiaDevice):
    """Runs ONNX files on one GPU, an engine an artifact."""

    accepts = ("onnx",)

    def __init__(self, card: DeviceCard, runtime: str, connection: Connection) -> None:
        super().__init__(card, runtime, connection, ("fp32", "fp16", "int8"), cuda.ADVICE)

    def requirements(self) -> Sequence[Requirement]:
        return [*self.machine_requirements(), _cuda_requirement(), _tensorrt_requirement()]

    def versions(self) -> Mapping[str, str]:
        return {
            "tensorrt": tensorrt_api.library().__version__,
            "cuda-bindings": version("cuda-bindings"),
            "driver": self.gpu.driver,
            "system": f"{platform.system()} {platform.release()}",
        }

    def open(self, artifact: Artifact, setting: Setting) -> TensorRtSession:
        trt = tensorrt_api.library()
        runtime = cuda.select(self.gpu.bus_id)
        path = engine_path(artifact.path, setting.precision, self.gpu.name, trt.__version__)
        timing_cache = timing_cache_path(self.gpu.name, trt.__version__)
        request = Request(
            str(artifact.path), setting.precision, self.gpu.bus_id, str(path), str(timing_cache)
        )
        loader = _Loader(trt)
        engine = loader.load(path) if path.exists() else None
        if engine is None:  # none was kept, or what was kept is damaged
            build(request)
            engine = loader.load(path)
        if engine is None:
            raise DeviceError(f"TensorRT cannot load the engine of {artifact.path.name}: {loader.said()}")
        session = TensorRtSession(loader, engine, cuda.CudaStream(runtime), artifact, setting)
        self.settle(session)
        return session


class _Loader:
    """TensorRT's runtime and its log, which must live as long as an engine does."""

    def __init__(self, trt: ModuleType) -> None:
        self.trt, self._log = trt, tensorrt_api.logger(trt)
        self._runtime = tensorrt_api.started(trt, "Runtime", self._log)

    def load(self, path: Path) -> Any:
        return self._runtime.deserialize_cuda_engine(path.read_bytes())

    def said(self) -> str:
        return tensorrt_api.last_error(self._log, "no reason given")


class TensorRtSession:
    """One engine with its buffers on the GPU: fixed random inputs stay there, and nothing is copied."""

    def __init__(
        self,
        loader: _Loader,
        engine: Any,
        stream: cuda.CudaStream,
        artifact: Artifact,
        setting: Setting,
    ) -> None:
        self._loader, self._engine, self._stream = loader, engine, stream
        self._name = artifact.path.name
        self._context: Any = None
        self._run: Callable[[], None] = lambda: self._enqueue(self._context)
        try:
            self._context = self._new_context()
            self._buffers = {name: self._buffer(name) for name in self._tensors()}
            self._bind(self._context)
            self._run()  # the first run sets up what a capture must not contain
            stream.wait()
            for name in self._tensors():
                if not self._is_input(name):
                    _check_numbers(stream, *self._buffers[name], self._name)
            if setting.runtime == _GRAPH:
                self._run = stream.captured(self._run)
        except cuda.OutOfMemoryError:
            self.close()
            raise DeviceError(
                f"out of GPU memory: {self._name} does not fit at batch {setting.batch}; "
                "give a smaller --batch"
            ) from None
        except BaseException:
            self.close()
            raise

    def time(self, runs: int) -> Sequence[Sample]:
        return self._stream.timed(self._run, runs)

    def close(self) -> None:
        del self._run, self._context, self._engine  # before their buffers and their stream
        self._stream.close()

    def layers(self, runs: int) -> Mapping[str, float]:
        """Layer -> its mean milliseconds; layers timed one by one take longer than together."""
        found: dict[str, list[float]] = {}

        class Profiler(self._loader.trt.IProfiler):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                super().__init__()

            def report_layer_time(self, layer_name: str, ms: float) -> None:
                found.setdefault(layer_name, []).append(ms)

        # In a context of its own: the one that is timed never has a profiler.
        context = self._new_context()
        self._bind(context)
        self._enqueue(context)
        self._stream.wait()  # so that the first run, which sets up, is not among those profiled
        context.profiler = Profiler()
        for _ in range(runs):
            self._enqueue(context)
            self._stream.wait()
        return {name: fmean(times) for name, times in found.items()}

    def transfers(self, runs: int) -> tuple[Sequence[Sample], Sequence[Sample]]:
        """Times of all inputs to the GPU, and of all outputs back, by way of pinned memory."""
        stream = self._stream
        inputs: list[tuple[int, int, int]] = []
        outputs: list[tuple[int, int, int]] = []
        for name, (spec, address) in self._buffers.items():
            nbytes = spec.shape[0] * np.dtype(spec.dtype).itemsize
            pinned = stream.pinned(nbytes)
            stream.copy(pinned, address, nbytes, to_gpu=False)  # so that the inputs keep their numbers
            (inputs if self._is_input(name) else outputs).append((address, pinned, nbytes))
        stream.wait()

        def upload() -> None:
            for address, pinned, nbytes in inputs:
                stream.copy(address, pinned, nbytes, to_gpu=True)

        def download() -> None:
            for address, pinned, nbytes in outputs:
                stream.copy(pinned, address, nbytes, to_gpu=False)

        return stream.timed(upload, runs), stream.timed(download, runs)

    def _new_context(self) -> Any:
        context = self._engine.create_execution_context()
        if context is None:
            raise cuda.OutOfMemoryError("out of GPU memory")
        return context

    def _enqueue(self, context: Any) -> None:
        if not context.execute_async_v3(int(self._stream.handle)):
            raise DeviceError(f"TensorRT could not run {self._name}: {self._loader.said()}")

    def _tensors(self) -> list[str]:
        return [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]

    def _is_input(self, name: str) -> bool:
        return bool(self._engine.get_tensor_mode(name) == self._loader.trt.TensorIOMode.INPUT)

    def _buffer(self, name: str) -> tuple[TensorSpec, int]:
        """A tensor's numbers in a row, and the address of its buffer; an input has its numbers in it."""
        kind = self._engine.get_tensor_dtype(name).name
        if kind not in _TYPES:
            raise DeviceError(f"'{name}' of {self._name} is {kind}, which zenbench cannot fill")
        spec = TensorSpec(name, (_elements(self._engine, name),), _TYPES[kind])
        address = self._stream.buffer(spec.shape[0] * np.dtype(spec.dtype).itemsize)
        if self._is_input(name):
            self._stream.upload(random_inputs([spec])[0], address)
        return spec, address

    def _bind(self, context: Any) -> None:
        for name, (_, address) in self._buffers.items():
            context.set_tensor_address(name, address)


def _elements(engine: Any, name: str) -> int:
    """How many numbers a tensor's buffer holds: some layouts fill the channels up."""
    shape = list(engine.get_tensor_shape(name))
    if any(extent < 1 for extent in shape):
        raise DeviceError(f"'{name}' has no fixed shape; export it with fixed extents")
    axis, width = engine.get_tensor_vectorized_dim(name), engine.get_tensor_components_per_element(name)
    if axis >= 0 and width > 1:
        shape[axis] = ceil(shape[axis] / width) * width
    return prod(shape)


def _check_numbers(stream: cuda.CudaStream, spec: TensorSpec, address: int, name: str) -> None:
    values: NDArray[Any] = np.empty(spec.shape, spec.dtype)
    stream.download(address, values)
    if not np.isfinite(values).all():
        raise DeviceError(f"'{spec.name}' of {name} holds NaN or infinity; its precision does not carry it")


def _cuda_requirement() -> Requirement:
    found = package_requirement("cuda-bindings", cuda.ADVICE)
    try:
        cuda.library()
    except DeviceUnavailableError as error:
        return Requirement("cuda-bindings", False, found.found, str(error)) if found.met else found
    return found


def _tensorrt_requirement() -> Requirement:
    if find_spec("tensorrt") is None:
        return Requirement("tensorrt", False, "not installed", cuda.ADVICE)
    try:
        return Requirement("tensorrt", True, tensorrt_api.library().__version__)
    except DeviceUnavailableError as error:
        return Requirement("tensorrt", False, "will not do", str(error))
