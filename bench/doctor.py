"""Doctor: what on this machine disturbs measurements; a check is a tiny class that looks and advises."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, Protocol

from ..devices.card import cards
from ..devices.host import cpu
from ..devices.registry import device
from ..home import home

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; `advice` is empty where all is well."""

    check: str
    status: Status
    found: str
    advice: str = ""


class Check(Protocol):
    """Looks at one thing; None where this system has no such thing."""

    def look(self) -> Finding | None: ...


@dataclass(frozen=True)
class PythonVersion:
    def look(self) -> Finding:
        return Finding("python", "ok", platform.python_version())


@dataclass(frozen=True)
class Packages:
    names: tuple[str, ...] = ("torch", "onnx", "onnxruntime")

    def look(self) -> Finding:
        missing, found = [], []
        for name in self.names:
            try:
                found.append(f"{name} {version(name)}")
            except PackageNotFoundError:
                missing.append(name)
        if missing:
            advice = f"{Path(sys.executable).name} -m pip install {' '.join(missing)}"
            return Finding("packages", "fail", f"missing: {', '.join(missing)}", advice)
        return Finding("packages", "ok", ", ".join(found))


@dataclass(frozen=True)
class Pinning:
    def look(self) -> Finding:
        pinning = cpu.pinning()
        cores = len(cpu.usable_cores()) or os.cpu_count() or 1
        found = f"{pinning}, {cores} cores"
        if pinning == "pinned+realtime":
            return Finding("pinning", "ok", found)
        advice = f"run as root, or: sudo setcap cap_sys_nice+ep {Path(sys.executable).resolve()}"
        return Finding("pinning", "warn", f"{found}; rounds of small blocks will scatter more", advice)


@dataclass(frozen=True)
class Governor:
    sys: Path = Path("/sys")

    def look(self) -> Finding | None:
        file = self.sys / "devices/system/cpu/cpu0/cpufreq/scaling_governor"
        governor = _read(file)
        if governor is None:
            return None
        if governor == "performance":
            return Finding("governor", "ok", governor)
        return Finding("governor", "warn", governor, "sudo cpupower frequency-set -g performance")


@dataclass(frozen=True)
class Boost:
    sys: Path = Path("/sys")

    def look(self) -> Finding | None:
        on = (("devices/system/cpu/cpufreq/boost", "1"), ("devices/system/cpu/intel_pstate/no_turbo", "0"))
        for file, value in on:
            found = _read(self.sys / file)
            if found is not None:
                advice = f"echo {1 - int(value)} | sudo tee {self.sys / file}"
                return (
                    Finding("boost", "warn", "on: clocks fall as the chip warms", advice)
                    if found == value
                    else Finding("boost", "ok", "off")
                )
        return None


@dataclass(frozen=True)
class Load:
    limit: float = 0.5

    def look(self) -> Finding | None:
        load = cpu.state().load_1min
        if load is None:
            return None
        if load <= self.limit:
            return Finding("load", "ok", f"{load:.2f} over the last minute")
        return Finding("load", "warn", f"{load:.2f} over the last minute", "close other programs: see top")


@dataclass(frozen=True)
class Steal:
    proc: Path = Path("/proc")
    limit: float = 0.01

    def look(self) -> Finding | None:
        text = _read(self.proc / "stat")
        if text is None:
            return None
        ticks = [int(field) for field in text.splitlines()[0].split()[1:]]
        stolen = ticks[7] / max(1, sum(ticks)) if len(ticks) > 7 else 0.0
        found = f"{stolen:.1%} of the time since boot went to other guests of this machine"
        if stolen <= self.limit:
            return Finding("virtual machine", "ok", found)
        return Finding("virtual machine", "warn", found, "measure on a machine of your own")


@dataclass(frozen=True)
class Power:
    sys: Path = Path("/sys")

    def look(self) -> Finding | None:
        # An idle USB port is an offline supply, and a wireless mouse is an online battery.
        online = [
            _read(supply / "online")
            for supply in self.sys.glob("class/power_supply/*")
            if _read(supply / "type") != "Battery"
        ]
        if "1" in online:
            return Finding("power", "ok", "plugged in")
        if "0" in online:
            return Finding("power", "warn", "on battery", "plug the computer in")
        return None


@dataclass(frozen=True)
class Memory:
    proc: Path = Path("/proc")
    least_gib: float = 2.0

    def look(self) -> Finding | None:
        text = _read(self.proc / "meminfo") or ""
        lines = [line.split() for line in text.splitlines() if line.startswith("MemAvailable:")]
        if not lines:
            return None
        gib = int(lines[0][1]) / 2**20
        if gib >= self.least_gib:
            return Finding("memory", "ok", f"{gib:.1f} GiB free")
        return Finding(
            "memory", "warn", f"{gib:.1f} GiB free", "close other programs: large networks need more"
        )


@dataclass(frozen=True)
class Home:
    def look(self) -> Finding:
        folder = home()
        nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
        if os.access(nearest, os.W_OK):
            return Finding("tables", "ok", str(folder))
        return Finding(
            "tables", "fail", f"{nearest} is not writable", "set ZENBENCH_HOME to a folder of yours"
        )


@dataclass(frozen=True)
class DeviceNeeds:
    name: str
    runtime: str

    def look(self) -> Finding:
        check = f"device {self.name}/{self.runtime}"
        try:
            needs = device(self.name, self.runtime).requirements()
        except ImportError as error:
            package = (error.name or self.runtime).partition(".")[0]
            advice = f"{Path(sys.executable).name} -m pip install --force-reinstall {package}"
            return Finding(check, "fail", f"cannot be loaded: {error}", advice)
        missing = [need for need in needs if not need.met]
        if missing:
            return Finding(check, "warn", f"not ready: {missing[0].name}", missing[0].advice)
        return Finding(check, "ok", ", ".join(f"{need.name} {need.found}" for need in needs))


def checks() -> Sequence[Check]:
    """All of them, in the order of the report."""
    return (
        PythonVersion(),
        Packages(),
        Pinning(),
        Governor(),
        Boost(),
        Load(),
        Steal(),
        Power(),
        Memory(),
        Home(),
        *(DeviceNeeds(card.name, runtime) for card in cards().values() for runtime in card.runtimes),
    )


def examine() -> list[Finding]:
    """What every check that applies here finds; a reading in an unknown form is a finding too."""
    return [finding for check in checks() if (finding := _look(check)) is not None]


def _look(check: Check) -> Finding | None:
    try:
        return check.look()
    except (OSError, ValueError, LookupError) as error:
        what = f"{type(error).__name__}: {error}"
        return Finding(
            type(check).__name__.lower(), "warn", f"cannot be told ({what})", "file an issue with: uname -a"
        )


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except OSError:
        return None
