"""TensorRT's Python API from 8.6 to 11: all that differs between the versions, and its log.

8.6 builds weakly typed networks, where flags say which types a layer may take. 10 can build strongly typed
ones, where the file's types hold, and 11 builds no others and has lost the flags. What the drivers call
beyond this module is the same in all of them.
"""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

from ...errors import DeviceUnavailableError
from .cuda import ADVICE

OLDEST, NEWEST = (8, 6), 11
_FLAGS = {"fp32": (), "fp16": ("FP16",), "int8": ("INT8",)}
_LAYOUTS = {"fp32": ("LINEAR",), "fp16": ("LINEAR", "HWC8"), "int8": ("LINEAR", "CHW4", "CHW32")}
"""What an input or output may lie as: TensorRT takes the one that its kernels read fastest."""


def library() -> ModuleType:
    """The installed TensorRT; raises DeviceUnavailableError where there is none, or none that is known."""
    try:
        import tensorrt
    except ImportError as error:
        raise DeviceUnavailableError(
            f"TensorRT cannot be loaded ({error}); install it with: {ADVICE}"
        ) from None
    reason = unfit(tensorrt.__version__)
    if reason:
        raise DeviceUnavailableError(reason)
    module: ModuleType = tensorrt
    return module


def unfit(version: str) -> str | None:
    """Why a version of TensorRT cannot be used; None where it can."""
    major, minor = (int(number) for number in re.findall(r"\d+", f"{version}.0")[:2])
    if (major, minor) < OLDEST:
        return f"TensorRT {version} is too old, 8.6 is the first that will do; update it with: {ADVICE}"
    if major > NEWEST:
        return (
            f"TensorRT {version} is newer than zenbench knows; install an older one with: "
            f"pip install 'tensorrt<{NEWEST + 1}'"
        )
    return None


def started(trt: ModuleType, kind: str, log: Any) -> Any:
    """A `Builder` or `Runtime`; raises DeviceUnavailableError where the driver is not for this TensorRT."""
    try:
        return getattr(trt, kind)(log)
    except TypeError:  # what the bindings make of a null pointer
        reason = last_error(log, "no reason given")
        raise DeviceUnavailableError(
            f"TensorRT {trt.__version__} does not start ({reason}); update the driver or TensorRT"
        ) from None


def create_network(trt: ModuleType, builder: Any) -> Any:
    """A network whose types are the file's, as far as the version can."""
    kinds = trt.NetworkDefinitionCreationFlag
    strongly = getattr(kinds, "STRONGLY_TYPED", None)
    return builder.create_network(1 << int(kinds.EXPLICIT_BATCH if strongly is None else strongly))


def allow_types(trt: ModuleType, config: Any, precision: str) -> None:
    """Where types are not the file's alone, allows those of the precision; fp32 is never cut to TF32."""
    config.clear_flag(trt.BuilderFlag.TF32)
    if not hasattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED"):
        for flag in _FLAGS[precision]:
            config.set_flag(getattr(trt.BuilderFlag, flag))


def allow_layouts(trt: ModuleType, network: Any, precision: str) -> None:
    """Lets inputs and outputs that are maps lie as TensorRT likes them best, as they do inside a network."""
    mask = sum(1 << int(getattr(trt.TensorFormat, layout)) for layout in _LAYOUTS[precision])
    tensors = [network.get_input(index) for index in range(network.num_inputs)]
    tensors += [network.get_output(index) for index in range(network.num_outputs)]
    for tensor in tensors:
        if len(tensor.shape) == 4:
            tensor.allowed_formats = mask


def logger(trt: ModuleType) -> Any:
    """A TensorRT logger that keeps what went wrong in `errors` and is quiet about the rest."""

    class Log(trt.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, msg: str) -> None:
            if severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR):
                self.errors.append(msg)

    return Log()


def last_error(log: Any, otherwise: str) -> str:
    """What TensorRT said last, in one line."""
    lines = log.errors[-1].strip().splitlines() if log.errors else []
    return lines[0] if lines else otherwise
