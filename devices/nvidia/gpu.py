"""NVIDIA GPUs: which one, what tells it from others, and its state, all by NVML (nvidia-ml-py)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from time import monotonic
from types import ModuleType
from typing import Any

from ...errors import DeviceUnavailableError, UserError
from ..base import Connection, DeviceState, Requirement, Session, Setting, SettingRequest
from ..card import DeviceCard
from ..host import cpu

DRIVER_ADVICE = "install the NVIDIA driver of your GPU and check it with: nvidia-smi"
_BRANDS = {"nvidia", "tesla", "geforce"}
_SLOWED = {
    "HwThermalSlowdown": "too hot (hardware)",
    "SwThermalSlowdown": "too hot (driver)",
    "HwPowerBrakeSlowdown": "power brake",
    "HwSlowdown": "hardware slowdown",
}
"""NVML's reasons for lower clocks that spoil a measurement. The power cap is none of them: a T4 runs at its
70 W whenever it works hard, so that is what its latency is."""
_STEADY, _READINGS, _SETTLE_RUNS, _SETTLE_S = 0.01, 5, 10, 5.0


@dataclass(frozen=True)
class NvmlGpu:
    """One GPU of this machine. `bus_id` tells CUDA which one it is."""

    nvml: ModuleType
    handle: Any
    name: str
    bus_id: str
    uuid: str

    @cached_property
    def identity(self) -> Mapping[str, str]:
        limit = self._ask("nvmlDeviceGetEnforcedPowerLimit")
        ecc = self._ask("nvmlDeviceGetEccMode")
        return {
            "gpu": self.name,
            "memory_mib": str(self.nvml.nvmlDeviceGetMemoryInfo(self.handle).total // 2**20),
            "ecc": "none" if ecc is None else ("off", "on")[ecc[0]],
            "power_limit_watts": "unknown" if limit is None else f"{limit / 1e3:.0f}",
        }

    @property
    def driver(self) -> str:
        return str(self.nvml.nvmlSystemGetDriverVersion())

    def sm_mhz(self) -> float | None:
        mhz: int | None = self._ask("nvmlDeviceGetClockInfo", self.nvml.NVML_CLOCK_SM)
        return mhz

    def state(self) -> DeviceState:
        """Clocks, temperature, power and what holds the clocks down, now."""
        clocks = {
            "sm": self.sm_mhz(),
            "memory": self._ask("nvmlDeviceGetClockInfo", self.nvml.NVML_CLOCK_MEM),
        }
        celsius = self._ask("nvmlDeviceGetTemperature", self.nvml.NVML_TEMPERATURE_GPU)
        milliwatts = self._ask("nvmlDeviceGetPowerUsage")
        reasons = self._ask("nvmlDeviceGetCurrentClocksThrottleReasons") or 0
        capped = reasons & self.nvml.nvmlClocksThrottleReasonSwPowerCap
        slowed = [
            words
            for key, words in _SLOWED.items()
            if reasons & getattr(self.nvml, f"nvmlClocksThrottleReason{key}")
        ]
        return DeviceState(
            load_1min=cpu.state().load_1min,
            cores_mhz={name: mhz for name, mhz in clocks.items() if mhz is not None} or None,
            temperature_celsius=celsius,
            power=None if milliwatts is None else f"{milliwatts / 1e3:.1f} W" + ", at its cap" * bool(capped),
            throttled="; ".join(slowed) or None,
            other_processes=self.other_processes(),
        )

    def other_processes(self) -> int | None:
        """Programs that compute on the GPU, not counting this one. A container sees few of them."""
        running = self._ask("nvmlDeviceGetComputeRunningProcesses")
        return None if running is None else sum(process.pid != os.getpid() for process in running)

    def _ask(self, function: str, *arguments: Any) -> Any:
        """NVML's answer; None where this GPU or driver has none."""
        try:
            return getattr(self.nvml, function)(self.handle, *arguments)
        except self.nvml.NVMLError:
            return None


class NvidiaDevice:
    """The parts of a `Device` that do not depend on which runtime works on the GPU."""

    def __init__(
        self, card: DeviceCard, runtime: str, connection: Connection, precisions: Sequence[str], advice: str
    ) -> None:
        """`advice`: the command that installs what the runtime needs."""
        self._card, self._runtime, self._connection = card, runtime, connection
        self._precisions, self._advice = precisions, advice
        self._settled = False
        self.name = card.name

    @cached_property
    def gpu(self) -> NvmlGpu:
        """The GPU that the card is about; raises DeviceUnavailableError where this machine has none."""
        return find_gpu(self._card, self._connection)

    def identity(self) -> Mapping[str, str]:
        return self.gpu.identity

    def setting(self, request: SettingRequest) -> Setting:
        setting = self._card.setting(replace(request, runtime=self._runtime), "free")
        if setting.precision not in self._precisions:
            known = ", ".join(self._precisions)
            raise UserError(
                f"{self.name} through {self._runtime} runs {known}, not '{setting.precision}'; "
                "give another --precision"
            )
        if setting.threads != 1:
            raise UserError("a GPU's threads are its own; leave --threads out")
        return setting

    def state(self) -> DeviceState:
        return self.gpu.state()

    def machine_requirements(self) -> Sequence[Requirement]:
        """The driver, its library, the right GPU, nobody else on it; up to the first that is missing."""
        package = package_requirement("nvidia-ml-py", self._advice)
        if not package.met:
            return [package]
        try:
            driver = Requirement("NVIDIA driver", True, str(_nvml().nvmlSystemGetDriverVersion()))
        except DeviceUnavailableError as error:
            return [package, Requirement("NVIDIA driver", False, str(error), DRIVER_ADVICE)]
        try:
            gpu = find_gpu(self._card, self._connection)
        except DeviceUnavailableError as error:
            return [package, driver, Requirement("GPU", False, str(error), "see zenbench devices")]
        others = gpu.other_processes() or 0
        alone = Requirement(
            "GPU to itself", not others, f"{others} other programs on it", "end them: nvidia-smi"
        )
        return [package, driver, Requirement("GPU", True, gpu.name), alone]

    def settle(self, session: Session) -> None:
        """Runs until the clock rate holds still, once a device; closes the session where that fails."""
        if self._settled:
            return
        try:
            settle(lambda: session.time(_SETTLE_RUNS), self.gpu.sm_mhz)
        except BaseException:
            session.close()
            raise
        self._settled = True


def find_gpu(card: DeviceCard, connection: Connection) -> NvmlGpu:
    """The GPU that a card is about, or the one of `access.serial` (its number); raises DeviceUnavailableError
    where this machine has none."""
    found = _all(_nvml())
    names = ", ".join(gpu.name for gpu in found) or "none"
    if connection.serial is not None:
        chosen = [gpu for index, gpu in enumerate(found) if str(index) == connection.serial]
        if not chosen:
            raise DeviceUnavailableError(
                f"there is no GPU {connection.serial}; this machine has {len(found)}: {names} (nvidia-smi -L)"
            )
        found = chosen
    wanted = str(card.details.get("gpu", {}).get("name", ""))
    fitting = [gpu for gpu in found if _words(wanted) - _BRANDS <= _words(gpu.name)]
    if not fitting:
        raise DeviceUnavailableError(
            f"device '{card.name}' is a {wanted or 'GPU'}, but this machine has: {names}; "
            "for whatever GPU is there, use --device nvidia"
        )
    return fitting[0]


def package_requirement(package: str, advice: str) -> Requirement:
    """Whether a package is installed, by its metadata: importing takes seconds."""
    try:
        return Requirement(package, True, version(package))
    except PackageNotFoundError:
        return Requirement(package, False, "not installed", advice)


def settle(
    run: Callable[[], object], mhz: Callable[[], float | None], clock: Callable[[], float] = monotonic
) -> None:
    """Runs until the clock rate holds still: an idle GPU takes seconds to come up to its rate under load."""
    readings: list[float | None] = []
    end = clock() + _SETTLE_S
    while clock() < end:
        run()
        readings = [*readings, mhz()][-_READINGS:]
        known = [reading for reading in readings if reading is not None]
        if len(known) == _READINGS and max(known) - min(known) <= _STEADY * max(known):
            return


def _nvml() -> ModuleType:
    try:
        import pynvml
    except ImportError:
        raise DeviceUnavailableError(
            "nvidia-ml-py is not installed; install it with: pip install nvidia-ml-py"
        ) from None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise DeviceUnavailableError(f"no NVIDIA driver answers ({error}); {DRIVER_ADVICE}") from None
    module: ModuleType = pynvml
    return module


def _all(nvml: ModuleType) -> list[NvmlGpu]:
    found = []
    for index in range(nvml.nvmlDeviceGetCount()):
        with suppress(nvml.NVMLError):  # one that fell off the bus is as good as none
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            bus_id = str(nvml.nvmlDeviceGetPciInfo(handle).busId)
            uuid = str(nvml.nvmlDeviceGetUUID(handle))
            found.append(NvmlGpu(nvml, handle, str(nvml.nvmlDeviceGetName(handle)), bus_id, uuid))
    return found


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", name.lower()))
