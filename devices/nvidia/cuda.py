"""The CUDA runtime calls that timing needs, each checked: buffers, one stream, events, graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DeviceBrokenError, DeviceError, DeviceUnavailableError
from ..base import Sample

ADVICE = "pip install 'zenbench[tensorrt]'"
_NON_BLOCKING = 1
"""A stream that does not wait for the default one, nor holds it up."""


class OutOfMemoryError(DeviceError):
    """The GPU has no room left for what one artifact needs."""


def library() -> Any:
    """The CUDA runtime; raises DeviceUnavailableError where it is missing or the driver too old for it."""
    try:
        from cuda.bindings import runtime
    except ImportError as error:
        raise DeviceUnavailableError(
            f"cuda-bindings cannot be loaded ({error}); install it with: {ADVICE}"
        ) from None
    status, _ = runtime.cudaGetDeviceCount()
    if status == runtime.cudaError_t.cudaErrorInsufficientDriver:
        found = version("cuda-bindings")
        raise DeviceUnavailableError(
            f"the NVIDIA driver is too old for cuda-bindings {found}; update the driver, "
            f"or: pip install 'cuda-bindings<{found.partition('.')[0]}'"
        )
    _reached(runtime, (status,))
    return runtime


def select(bus_id: str) -> Any:
    """The CUDA runtime, on the GPU of that PCI bus; raises DeviceUnavailableError."""
    runtime = library()
    number = _reached(runtime, runtime.cudaDeviceGetByPCIBusId(bus_id.encode()))
    _reached(runtime, runtime.cudaSetDevice(number))
    return runtime


def _reached(runtime: Any, result: tuple[Any, ...]) -> Any:
    """The value of a call on the way to a GPU, before any work is there to blame."""
    error, *values = result
    if error != runtime.cudaError_t.cudaSuccess:
        raise DeviceUnavailableError(
            f"CUDA does not reach the GPU ({error.name}); see nvidia-smi, and check CUDA_VISIBLE_DEVICES"
        )
    return values[0] if values else None


def check(runtime: Any, result: tuple[Any, ...]) -> Any:
    """The value of a call, None where it has none.

    Raises OutOfMemoryError, or DeviceError where work cannot be captured as a graph: other artifacts go on.
    Raises DeviceBrokenError for the rest: after a failed kernel no call of this process succeeds.
    """
    error, *values = result
    if error == runtime.cudaError_t.cudaSuccess:
        return values[0] if values else None
    if error == runtime.cudaError_t.cudaErrorMemoryAllocation:
        raise OutOfMemoryError("out of GPU memory")
    if error.name.startswith("cudaErrorStreamCapture"):
        raise DeviceError("its work cannot be replayed as a CUDA graph; choose a --runtime without -graph")
    raise DeviceBrokenError(f"CUDA failed with {error.name}; run the command again, it goes on")


class CudaStream:
    """One CUDA stream with its buffers, events and graphs; `close` frees them, the last first."""

    def __init__(self, runtime: Any) -> None:
        self._runtime = runtime
        self._resources = ExitStack()
        self._events: list[tuple[Any, Any]] = []
        self.handle = self._call("cudaStreamCreateWithFlags", _NON_BLOCKING)
        self._free("cudaStreamDestroy", self.handle)

    def buffer(self, nbytes: int) -> int:
        """The address of that many bytes on the GPU; raises OutOfMemoryError."""
        address = int(self._call("cudaMalloc", nbytes))
        self._free("cudaFree", address)
        return address

    def pinned(self, nbytes: int) -> int:
        """The address of that many bytes of this computer's memory that the GPU copies from by itself."""
        address = int(self._call("cudaMallocHost", nbytes))
        self._free("cudaFreeHost", address)
        return address

    def copy(self, target: int, source: int, nbytes: int, to_gpu: bool) -> None:
        """Puts a copy on the stream; it does not wait for one from or to pinned memory."""
        kinds = self._runtime.cudaMemcpyKind
        kind = kinds.cudaMemcpyHostToDevice if to_gpu else kinds.cudaMemcpyDeviceToHost
        self._call("cudaMemcpyAsync", target, source, nbytes, kind, self.handle)

    def upload(self, values: NDArray[Any], address: int) -> None:
        values = np.ascontiguousarray(values)
        self.copy(address, values.ctypes.data, values.nbytes, to_gpu=True)
        self.wait()

    def download(self, address: int, values: NDArray[Any]) -> None:
        """Fills `values`, contiguous, from the GPU."""
        self.copy(values.ctypes.data, address, values.nbytes, to_gpu=False)
        self.wait()

    def wait(self) -> None:
        """Until all that was put on the stream is done."""
        self._call("cudaStreamSynchronize", self.handle)

    def captured(self, enqueue: Callable[[], None]) -> Callable[[], None]:
        """What `enqueue` puts on the stream, as one CUDA graph: calling it puts the whole of it there."""
        mode = self._runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call("cudaStreamBeginCapture", self.handle, mode)
        try:
            enqueue()
        except DeviceError:
            self._runtime.cudaStreamEndCapture(self.handle)  # whatever it says: the stream goes on
            raise
        graph = self._call("cudaStreamEndCapture", self.handle)
        try:
            executable = self._call("cudaGraphInstantiate", graph, 0)
        finally:
            self._call("cudaGraphDestroy", graph)
        self._free("cudaGraphExecDestroy", executable)

        def replay() -> None:
            self._call("cudaGraphLaunch", executable, self.handle)

        return replay

    def timed(self, enqueue: Callable[[], None], runs: int) -> Sequence[Sample]:
        """Calls `enqueue` in a row, an event on either side of each call; the GPU's own clock tells.

        Nothing waits between the runs: the next one is put on the stream while the GPU is still busy.
        """
        while len(self._events) < runs:
            pair = self._call("cudaEventCreate"), self._call("cudaEventCreate")
            self._events.append(pair)
            for event in pair:
                self._free("cudaEventDestroy", event)
        for start, end in self._events[:runs]:
            self._call("cudaEventRecord", start, self.handle)
            enqueue()
            self._call("cudaEventRecord", end, self.handle)
        self.wait()
        return [Sample(self._call("cudaEventElapsedTime", *pair)) for pair in self._events[:runs]]

    def close(self) -> None:
        self._resources.close()

    def _call(self, function: str, *arguments: Any) -> Any:
        return check(self._runtime, getattr(self._runtime, function)(*arguments))

    def _free(self, function: str, resource: Any) -> None:
        self._resources.callback(self._call, function, resource)
