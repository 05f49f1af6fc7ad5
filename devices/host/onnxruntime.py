"""The host CPU through ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime

from ...errors import DeviceError, first_line
from ..base import Artifact, Requirement, Sample, Setting
from ..card import DeviceCard
from ..inputs import random_inputs
from .runtime import HostDevice, quiet_cores, system_versions, timed


class OnnxRuntimeHost(HostDevice):
    """Runs ONNX files on this computer, one session an artifact, timed by the monotonic clock."""

    accepts = ("onnx",)

    def __init__(self, card: DeviceCard) -> None:
        super().__init__(card, "onnxruntime", ("fp32", "fp16", "int8"))

    def requirements(self) -> Sequence[Requirement]:
        return [Requirement("onnxruntime", True, onnxruntime.__version__)]

    def versions(self) -> Mapping[str, str]:
        return {"onnxruntime": onnxruntime.__version__, **system_versions()}

    def open(self, artifact: Artifact, setting: Setting) -> OnnxRuntimeSession:
        return OnnxRuntimeSession(artifact, setting)


def session_options(threads: int) -> Any:
    """Options with which int8 is computed right, and that many threads.

    Without VNNI, a CPU adds products of int8 in 16 bits, where they overflow: MobileNetV2-0.5 came to 5 dB
    of signal over noise where it has 12 (docs/measuring.md). The key below takes kernels that do not, at up
    to 1.5 times the latency (onnxruntime's "Quantize ONNX models", on data type selection). Elsewhere it
    changes nothing.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.x64quantprecision", "1")
    return options


class OnnxRuntimeSession:
    """One loaded ONNX file with fixed random inputs, kept where the runtime reads them."""

    def __init__(self, artifact: Artifact, setting: Setting) -> None:
        self._setting = setting
        options = session_options(setting.threads)
        options.inter_op_num_threads = 1
        # Else its idle workers go on spinning for a while, on the cores that the next session is timed on:
        # most rounds with two threads took as long as with one.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        try:
            with quiet_cores(setting):
                self._session = onnxruntime.InferenceSession(
                    str(artifact.path), options, providers=["CPUExecutionProvider"]
                )
            self._binding = self._bind(artifact)
        except Exception as error:
            raise DeviceError(f"onnxruntime refused {artifact.path.name}: {first_line(error)}") from error

    def time(self, runs: int) -> Sequence[Sample]:
        session, binding = self._session, self._binding
        try:
            return timed(lambda: session.run_with_iobinding(binding), runs, self._setting)
        except RuntimeError as error:
            raise DeviceError(f"onnxruntime failed: {first_line(error)}") from error

    def close(self) -> None:
        del self._binding, self._session

    def _bind(self, artifact: Artifact) -> Any:
        binding = self._session.io_binding()
        for spec, values in zip(artifact.inputs, random_inputs(artifact.inputs), strict=True):
            binding.bind_ortvalue_input(spec.name, onnxruntime.OrtValue.ortvalue_from_numpy(values))
        for output in self._session.get_outputs():
            if output.type == "tensor(float)" and all(isinstance(extent, int) for extent in output.shape):
                zeros = np.zeros(output.shape, dtype=np.float32)
                binding.bind_ortvalue_output(output.name, onnxruntime.OrtValue.ortvalue_from_numpy(zeros))
            else:
                binding.bind_output(output.name)  # the runtime allocates what it alone knows the form of
        return binding
