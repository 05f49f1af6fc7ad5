"""The host CPU through ONNX Runtime."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import pairwise
from time import perf_counter_ns
from typing import Any

import numpy as np
import onnxruntime

from ..errors import DeviceError, UserError
from . import host_cpu
from .base import Artifact, DeviceState, Requirement, Sample, Setting, Wish
from .card import Card

_INPUT_SEED = 0


class OnnxRuntimeHost:
    """Runs ONNX files on this computer, one session an artifact, timed by the monotonic clock."""

    accepts = ("onnx",)

    def __init__(self, card: Card) -> None:
        self._card = card
        self.name = card.name

    def requirements(self) -> Sequence[Requirement]:
        return [Requirement("onnxruntime", True, onnxruntime.__version__)]

    def identity(self) -> Mapping[str, str]:
        return host_cpu.identity()

    def versions(self) -> Mapping[str, str]:
        return {
            "onnxruntime": onnxruntime.__version__,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()}",
        }

    def setting(self, wish: Wish) -> Setting:
        setting = self._card.setting(wish, host_cpu.pinning())
        if setting.precision != "fp32":
            raise UserError(f"host through onnxruntime runs fp32, not '{setting.precision}'")
        cores = len(host_cpu.usable_cores())
        if cores and setting.threads > cores:
            raise UserError(
                f"--threads {setting.threads} is more than the {cores} cores this process may use"
            )
        return setting

    def state(self) -> DeviceState:
        return host_cpu.state(max(host_cpu.usable_cores(), default=0))

    def open(self, artifact: Artifact, setting: Setting) -> OnnxRuntimeSession:
        return OnnxRuntimeSession(artifact, setting)


class OnnxRuntimeSession:
    """One loaded ONNX file with fixed random inputs, kept where the runtime reads them."""

    def __init__(self, artifact: Artifact, setting: Setting) -> None:
        self._setting = setting
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = setting.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            # Worker threads inherit the cores of the thread that starts them.
            with self._cores():
                self._session = onnxruntime.InferenceSession(
                    str(artifact.path), options, providers=["CPUExecutionProvider"]
                )
            self._binding = self._bind(artifact)
        except Exception as error:
            raise DeviceError(f"onnxruntime refused {artifact.path.name}: {_first_line(error)}") from error

    def time(self, runs: int) -> Sequence[Sample]:
        session, binding = self._session, self._binding
        marks = [0] * (runs + 1)
        try:
            with self._cores(realtime=self._setting.pinning.endswith("realtime")):
                marks[0] = perf_counter_ns()
                for index in range(1, runs + 1):
                    session.run_with_iobinding(binding)
                    marks[index] = perf_counter_ns()
        except RuntimeError as error:
            raise DeviceError(f"onnxruntime failed: {_first_line(error)}") from error
        return [Sample((end - start) / 1e6) for start, end in pairwise(marks)]

    def close(self) -> None:
        del self._binding, self._session

    def _bind(self, artifact: Artifact) -> Any:
        random = np.random.default_rng(_INPUT_SEED)
        binding = self._session.io_binding()
        for spec in artifact.inputs:
            values = random.standard_normal(spec.shape, dtype=np.float32).astype(spec.dtype)
            binding.bind_ortvalue_input(spec.name, onnxruntime.OrtValue.ortvalue_from_numpy(values))
        for output in self._session.get_outputs():
            if output.type == "tensor(float)" and all(isinstance(extent, int) for extent in output.shape):
                zeros = np.zeros(output.shape, dtype=np.float32)
                binding.bind_ortvalue_output(output.name, onnxruntime.OrtValue.ortvalue_from_numpy(zeros))
            else:
                binding.bind_output(output.name)  # the runtime allocates what it alone knows the form of
        return binding

    def _cores(self, realtime: bool = False) -> ExitStack:
        stack = ExitStack()
        if self._setting.pinning != "free":
            stack.enter_context(host_cpu.pinned(self._setting.threads))
        if realtime:
            stack.enter_context(host_cpu.realtime())
        return stack


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
