"""Drivers: from a device's name to the object that runs artifacts on it."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import UserError
from .base import Connection, Device
from .card import DeviceCard, card


def _android(card: DeviceCard, runtime: str, connection: Connection) -> Device:
    from .android.phone import AndroidPhone

    return AndroidPhone(card, runtime, connection)


def _litert(card: DeviceCard, runtime: str, connection: Connection) -> Device:
    from .host.litert import LiteRTHost

    return LiteRTHost(card, runtime)


def _onnxruntime(card: DeviceCard, runtime: str, connection: Connection) -> Device:
    from .host.onnxruntime import OnnxRuntimeHost

    return OnnxRuntimeHost(card)


def _simulated(card: DeviceCard, runtime: str, connection: Connection) -> Device:
    from .simulated import SimulatedDevice

    return SimulatedDevice(card)


def _tensorrt(card: DeviceCard, runtime: str, connection: Connection) -> Device:
    from .nvidia.tensorrt import TensorRtGpu

    return TensorRtGpu(card, runtime, connection)


def _torch(card: DeviceCard, runtime: str, connection: Connection) -> Device:
    from .nvidia.torch_cuda import TorchGpu

    return TorchGpu(card, runtime, connection)


_DRIVERS: dict[str, Callable[[DeviceCard, str, Connection], Device]] = {
    "android": _android,
    "litert": _litert,
    "onnxruntime": _onnxruntime,
    "simulated": _simulated,
    "tensorrt": _tensorrt,
    "torch": _torch,
}
_HERE = ("litert", "onnxruntime", "simulated")
"""Drivers of what needs no reaching."""


def device(name: str, runtime: str | None = None, connection: Connection | None = None) -> Device:
    """The device of that name, driven through `runtime` or its card's default."""
    chosen = card(name)
    runtime = runtime or str(chosen.defaults["runtime"])
    if runtime not in chosen.runtimes:
        raise UserError(f"device '{name}' has no runtime '{runtime}'; it has {', '.join(chosen.runtimes)}")
    driver = chosen.runtimes[runtime]
    if driver not in _DRIVERS:
        raise UserError(f"the card of '{name}' names no known driver: '{driver}' ({', '.join(_DRIVERS)})")
    connection = connection or Connection()
    if driver in _HERE and connection != Connection():
        raise UserError(f"device '{name}' is reached without --serial and --runner; leave them out")
    return _DRIVERS[driver](chosen, runtime, connection)
