"""The computer that zenbench runs on: its identity and state, and quiet cores to time on."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from ..base import DeviceState

_REALTIME_PRIORITY = 50
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_USUAL_CACHE_MB, _MOST_CACHE_MB = 32.0, 64.0
"""A virtual machine may name all of a large server's cache, of which it has a share."""


@cache
def identity() -> Mapping[str, str]:
    """CPU model and its family, model and stepping where the system tells; the number of cores."""
    found = {"cpu": platform.processor() or platform.machine(), "cores": str(os.cpu_count())}
    with suppress(OSError):
        first = Path("/proc/cpuinfo").read_text().split("\n\n", 1)[0]
        fields = dict(line.split(":", 1) for line in first.splitlines() if ":" in line)
        values = {key.strip(): value.strip() for key, value in fields.items()}
        if "model name" in values:
            numbers = [values.get(key, "?") for key in ("cpu family", "model", "stepping")]
            found["cpu"] = (
                f"{values['model name']} (family {numbers[0]}, model {numbers[1]}, stepping {numbers[2]})"
            )
    return found


def state(core: int = 0) -> DeviceState:
    """Load, clock, governor and temperature now."""
    folder = Path(f"/sys/devices/system/cpu/cpu{core}/cpufreq")
    khz = _read(folder / "scaling_cur_freq")
    millicelsius = _read(Path("/sys/class/thermal/thermal_zone0/temp"))
    return DeviceState(
        load_1min=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        cpu_mhz=float(khz) / 1e3 if khz else None,
        governor=_read(folder / "scaling_governor"),
        temperature_celsius=float(millicelsius) / 1e3 if millicelsius else None,
    )


def last_cache_mb() -> float:
    """Size of the largest cache of the last level, in MiB, or a usual one where the system does not tell."""
    sizes = [_read(file) for file in _CACHES.glob("index*/size")]
    kilobytes = [int(size[:-1]) for size in sizes if size and re.fullmatch(r"\d+K", size)]
    return min(max(kilobytes) / 1024, _MOST_CACHE_MB) if kilobytes else _USUAL_CACHE_MB


def usable_cores() -> tuple[int, ...]:
    """The cores this process may use, in order; empty where the system does not tell."""
    return tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()


@cache
def pinning() -> str:
    """The best pinning this process is allowed: `pinned+realtime`, `pinned` or `free`."""
    if not usable_cores():
        return "free"
    try:
        with realtime():
            return "pinned+realtime"
    except OSError:
        return "pinned"


@contextmanager
def pinned(threads: int) -> Iterator[None]:
    """Keeps this thread, and those it starts, on the last `threads` cores: the first serves interrupts."""
    cores = usable_cores()
    os.sched_setaffinity(0, cores[-threads:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@contextmanager
def realtime() -> Iterator[None]:
    """Runs this thread before all ordinary ones; raises PermissionError where that is not allowed."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_REALTIME_PRIORITY))
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except OSError:
        return None
