"""The host CPU through LiteRT, with XNNPACK or with the kernels built in.

Which of the two is part of the runtime's name: it decides a latency as much as the runtime does. The Python
interpreter takes at least one thread, with one as its default, and gives XNNPACK no file to keep packed
weights in, so neither differs between two runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from ...errors import DeviceError, first_line
from ..base import Artifact, Requirement, Sample, Setting
from ..card import DeviceCard
from ..inputs import random_inputs
from .runtime import HostDevice, quiet_cores, system_versions, timed

_XNNPACK = "litert"
_PACKAGES = {"ai-edge-litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}
"""Packages with one and the same interpreter; the first that is there serves."""
_ADVICE = "pip install ai-edge-litert"


class LiteRTHost(HostDevice):
    """Runs TFLite files on this computer, one interpreter an artifact, timed by the monotonic clock.

    `fp16` means fp16 weights: the runtime turns them to fp32 once, as it loads them.
    """

    accepts = ("tflite",)

    def __init__(self, card: DeviceCard, runtime: str) -> None:
        super().__init__(card, runtime, ("fp32", "fp16", "int8"))

    def requirements(self) -> Sequence[Requirement]:
        try:
            package, _ = interpreter()
        except DeviceError:
            return [Requirement("ai-edge-litert", False, "not installed", _ADVICE)]
        return [Requirement(package, True, version(package))]

    def versions(self) -> Mapping[str, str]:
        package, _ = interpreter()
        return {package: version(package), **system_versions()}

    def open(self, artifact: Artifact, setting: Setting) -> LiteRTSession:
        return LiteRTSession(artifact, setting)


class LiteRTSession:
    """One loaded TFLite file with fixed random inputs, kept where the runtime reads them."""

    def __init__(self, artifact: Artifact, setting: Setting) -> None:
        _, module = interpreter()
        self._setting = setting
        kernels = module.OpResolverType
        chosen = kernels.AUTO if setting.runtime == _XNNPACK else kernels.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        try:
            # Workers are started in a first run at the latest.
            with quiet_cores(setting), silenced():
                # Not by its path: LiteRT verifies only what it is given as bytes, and a cut file crashes it.
                self._interpreter = module.Interpreter(
                    model_content=artifact.path.read_bytes(),
                    num_threads=setting.threads,
                    experimental_op_resolver_type=chosen,
                )
                self._interpreter.allocate_tensors()
                places = {given["name"]: given["index"] for given in self._interpreter.get_input_details()}
                for spec, values in zip(artifact.inputs, random_inputs(artifact.inputs), strict=True):
                    self._interpreter.set_tensor(places[spec.name], values)
                self._interpreter.invoke()
        except (ValueError, RuntimeError, KeyError) as error:
            raise DeviceError(f"LiteRT refused {artifact.path.name}: {first_line(error)}") from error

    def time(self, runs: int) -> Sequence[Sample]:
        try:
            return timed(self._interpreter.invoke, runs, self._setting)
        except RuntimeError as error:
            raise DeviceError(f"LiteRT failed: {first_line(error)}") from error

    def close(self) -> None:
        del self._interpreter


@cache
def interpreter() -> tuple[str, ModuleType]:
    """The package that is installed and its module of the interpreter; raises DeviceError without any."""
    for package, name in _PACKAGES.items():
        try:
            return package, import_module(f"{name}.interpreter")
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing != name:  # it is there, but something that it needs is not
                raise
    raise DeviceError(f"LiteRT is not installed; install it with: {_ADVICE}")


@contextmanager
def silenced() -> Iterator[None]:
    """Keeps standard error off the terminal: LiteRT tells how it loads and has no setting for that."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
