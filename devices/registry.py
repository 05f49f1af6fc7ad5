"""Drivers by runtime: from a device's name to the object that runs artifacts on it."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import UserError
from .base import Device
from .card import Card, card


def _onnxruntime(card: Card) -> Device:
    from .onnxruntime import OnnxRuntimeHost

    return OnnxRuntimeHost(card)


def _simulated(card: Card) -> Device:
    from .simulated import SimulatedDevice

    return SimulatedDevice(card)


def _litert(card: Card, runtime: str) -> Device:
    from .litert import LiteRTHost

    return LiteRTHost(card, runtime)


_DRIVERS: dict[str, Callable[[Card], Device]] = {
    "onnxruntime": _onnxruntime,
    "litert": lambda card: _litert(card, "litert"),
    "litert-builtin": lambda card: _litert(card, "litert-builtin"),
    "simulated": _simulated,
}


def device(name: str, runtime: str | None = None) -> Device:
    """The device of that name, driven through `runtime` or its card's default."""
    chosen = card(name)
    runtime = runtime or str(chosen.defaults["runtime"])
    if runtime not in chosen.runtimes:
        raise UserError(f"device '{name}' has no runtime '{runtime}'; it has {', '.join(chosen.runtimes)}")
    return _DRIVERS[runtime](chosen)
