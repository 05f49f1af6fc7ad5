"""NVIDIA GPUs through PyTorch: torch.export files run eagerly, or as one CUDA graph (`torch-graph`).

Maps lie channels last, cuDNN times its kernels once for every shape (benchmark mode) and fp32 is never cut to
TF32. Times are those of CUDA events on a stream of our own, read when all of it is done.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from ...errors import DeviceBrokenError, DeviceError, DeviceUnavailableError, first_line
from ..base import Artifact, Connection, Requirement, Sample, Setting, TensorSpec
from ..card import DeviceCard
from ..inputs import random_inputs
from .gpu import NvidiaDevice

_GRAPH = "torch-graph"
_RUNS_BEFORE_CAPTURE = 3
_OUT_OF_MEMORY = ("CUDA error: out of memory", "STATUS_ALLOC_FAILED")
"""What the CUDA runtime and its libraries say of a lack of memory that torch's own allocator did not meet."""
_OLDEST = (2, 6)
ADVICE = "install a CUDA build of PyTorch for your driver: https://pytorch.org/get-started/locally"


class TorchGpu(NvidiaDevice):
    """Runs torch.export files on one GPU, whichever its kind."""

    accepts = ("torch-export",)

    def __init__(self, card: DeviceCard, runtime: str, connection: Connection) -> None:
        super().__init__(card, runtime, connection, ("fp32", "fp16"), "pip install 'zenbench[cuda]'")

    def requirements(self) -> Sequence[Requirement]:
        reason = _unfit()
        torch_itself = Requirement("torch for CUDA", not reason, reason or torch.__version__, ADVICE)
        return [*self.machine_requirements(), torch_itself]

    def versions(self) -> Mapping[str, str]:
        return {
            "torch": torch.__version__,
            "cuda": str(torch.version.cuda),
            "cudnn": str(torch.backends.cudnn.version()),  # type: ignore[no-untyped-call]
            "driver": self.gpu.driver,
            "system": f"{platform.system()} {platform.release()}",
        }

    def open(self, artifact: Artifact, setting: Setting) -> TorchSession:
        session = TorchSession(artifact, setting, _place(self.gpu.uuid))
        self.settle(session)
        return session


class TorchSession:
    """One loaded module with its fixed random input on the GPU; nothing is copied between runs."""

    def __init__(self, artifact: Artifact, setting: Setting, place: torch.device) -> None:
        self._name, self._batch = artifact.path.name, setting.batch
        self._events: list[tuple[Any, Any]] = []
        with self._guarded("refused"):
            module = torch.export.load(artifact.path).module()
            self._module: Any = module.to(place).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self._inputs = [_input(spec, place) for spec in artifact.inputs]
            self._stream = torch.cuda.Stream(place)  # type: ignore[no-untyped-call]
            self._stream.wait_stream(torch.cuda.current_stream(place))  # nothing starts before its input
        self._run = self._eagerly
        with self._guarded("could not run"), self._on_stream():
            for _ in range(_RUNS_BEFORE_CAPTURE):  # cuDNN chooses its kernels in the first
                self._run()
            self._stream.synchronize()
            if not bool(torch.isfinite(self._output).all()):
                raise DeviceError(
                    f"the output of {self._name} holds NaN or infinity; its precision does not carry it"
                )
        if setting.runtime == _GRAPH:
            self._run = self._captured()

    def time(self, runs: int) -> Sequence[Sample]:
        while len(self._events) < runs:
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
            self._events.append((start, end))
        with self._guarded("could not run"), self._on_stream():
            for start, end in self._events[:runs]:
                start.record(self._stream)
                self._run()
                end.record(self._stream)
            self._stream.synchronize()
            return [Sample(start.elapsed_time(end)) for start, end in self._events[:runs]]

    def close(self) -> None:
        del self._run, self._module, self._inputs, self._output, self._events
        torch.cuda.empty_cache()

    def _eagerly(self) -> None:
        self._output = self._module(*self._inputs)

    def _captured(self) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        with self._guarded("could not capture as a CUDA graph"), self._on_stream():
            with torch.cuda.graph(graph, stream=self._stream):
                self._eagerly()
            self._stream.synchronize()
        return graph.replay

    @contextmanager
    def _on_stream(self) -> Iterator[None]:
        with (
            torch.cuda.stream(self._stream),
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False),
        ):
            yield

    @contextmanager
    def _guarded(self, what: str) -> Iterator[None]:
        """Turns torch's failures into ours. After a failed kernel no call of this process succeeds."""
        try:
            yield
        except DeviceError:
            raise
        except torch.cuda.OutOfMemoryError:
            raise self._too_large() from None
        except Exception as error:
            if any(sign in str(error) for sign in _OUT_OF_MEMORY):
                raise self._too_large() from error
            if "CUDA error" in str(error) and "stream is capturing" not in str(error):
                raise DeviceBrokenError(
                    f"PyTorch failed on the GPU ({first_line(error)}); run the command again, it goes on"
                ) from error
            raise DeviceError(f"torch {what} {self._name}: {first_line(error)}") from error

    def _too_large(self) -> DeviceError:
        return DeviceError(
            f"out of GPU memory: {self._name} does not fit at batch {self._batch}; give a smaller --batch"
        )


def _unfit() -> str | None:
    """Why this torch cannot measure on a GPU; None where it can."""
    if not torch.version.cuda:
        return f"torch {torch.__version__} is built without CUDA"
    if tuple(int(number) for number in torch.__version__.split(".")[:2]) < _OLDEST:
        return f"torch {torch.__version__} is older than {'.'.join(map(str, _OLDEST))}"
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} for CUDA {torch.version.cuda} finds no GPU that it can use"
    return None


def _place(uuid: str) -> torch.device:
    reason = _unfit()
    if reason:
        raise DeviceUnavailableError(f"{reason}; {ADVICE}")
    for index in range(torch.cuda.device_count()):
        if str(torch.cuda.get_device_properties(index).uuid) == uuid.removeprefix("GPU-"):
            return torch.device("cuda", index)
    raise DeviceUnavailableError(f"torch does not see the GPU {uuid}; check CUDA_VISIBLE_DEVICES")


def _input(spec: TensorSpec, place: torch.device) -> torch.Tensor:
    (values,) = random_inputs([spec])
    layout = torch.channels_last if values.ndim == 4 else torch.contiguous_format
    return torch.from_numpy(values).to(place).to(memory_format=layout)
