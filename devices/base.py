"""What a driver author writes, and the values that pass between a device and the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from ..errors import DeviceError, UserError

_SETTING = re.compile(r"([\w.-]+)/([\w.-]+)/b([1-9]\d*)/t([1-9]\d*)/([\w+.-]+)")


@dataclass(frozen=True, slots=True)
class Setting:
    """All that makes two latencies comparable; one per table, never mixed.

    `pinning` is `free`, `pinned` (to as many cores as threads), `pinned+realtime`, or `mask-f0`: the cores
    of a hexadecimal mask.
    `str()` leaves the device out: `onnxruntime/fp32/b1/t1/pinned`.
    """

    device: str
    runtime: str
    precision: str = "fp32"
    batch: int = 1
    threads: int = 1
    pinning: str = "free"

    def __str__(self) -> str:
        return f"{self.runtime}/{self.precision}/b{self.batch}/t{self.threads}/{self.pinning}"

    @property
    def file_stem(self) -> str:
        return f"{self.runtime}-{self.precision}-b{self.batch}-t{self.threads}"

    @property
    def is_whole(self) -> bool:
        """Whether its entries are of their types: read back from its text, they are the same."""
        try:
            return isinstance(self.device, str) and Setting.parse(self.device, str(self)) == self
        except UserError:
            return False

    @staticmethod
    def parse(device: str, text: str) -> Setting:
        """The setting that `str()` wrote."""
        match = _SETTING.fullmatch(text)
        if match is None:
            raise UserError(f"'{text}' is not a setting; it reads like onnxruntime/fp32/b1/t1/pinned")
        return Setting(device, match[1], match[2], int(match[3]), int(match[4]), match[5])


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, full shape (batch first) and NumPy dtype of an artifact's input; `value`: what fills it, where
    that is not random."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file for a runtime: `format` is `onnx`, `tflite` or `torch-export`.

    `scales`: what one step of each int8 tensor at its ends stands for, where the writer knows.
    """

    format: str
    path: Path
    sha256: str
    inputs: tuple[TensorSpec, ...]
    batch: int
    precision: str
    scales: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading of the device's clock: ms for one run, the mean of `inner_runs` runs."""

    ms: float
    inner_runs: int = 1


@dataclass(frozen=True, slots=True)
class DeviceState:
    """What the device says of itself at one moment; None where it does not say.

    `cpu_mhz`, `governor`: of the slowest core in use. `temperature_celsius`: of the hottest sensor that
    counts. `throttled`: why it says that its clocks are held down. `other_processes`: programs
    beside ours on a GPU.
    """

    load_1min: float | None = None
    cpu_mhz: float | None = None
    governor: str | None = None
    temperature_celsius: float | None = None
    cores_mhz: Mapping[str, float] | None = None
    temperatures_celsius: Mapping[str, float] | None = None
    battery_percent: float | None = None
    power: str | None = None
    screen: str | None = None
    throttled: str | None = None
    other_processes: int | None = None


@dataclass(frozen=True, slots=True)
class RemoteRound:
    """A whole round of one artifact beside the reference: warm-up and samples, the state around both."""

    before: DeviceState
    reference: Sequence[Sample]
    warmup: Sequence[Sample]
    samples: Sequence[Sample]
    after: DeviceState


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing a device needs, whether it is met, and what to do where it is not."""

    name: str
    met: bool
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class SettingRequest:
    """What a user asked of a setting; None takes the default of the device's card."""

    runtime: str | None = None
    precision: str | None = None
    batch: int | None = None
    threads: int | None = None
    cpu_mask: str | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a device that is not this computer: which one of several, and the program that times on
    it; None takes the only one there is."""

    serial: str | None = None
    runner: Path | None = None


class Session(Protocol):
    """An artifact loaded and ready; its user closes it (`contextlib.closing`)."""

    def time(self, runs: int) -> Sequence[Sample]:
        """Times `runs` runs in a row by the device's own clock; raises DeviceError where one fails."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class InspectableSession(Session, Protocol):
    """A session that also tells where its time goes, apart from what `time` gives."""

    def layers(self, runs: int) -> Mapping[str, float]:
        """Layer -> its mean milliseconds; layers timed one by one take longer than together."""
        ...

    def transfers(self, runs: int) -> tuple[Sequence[Sample], Sequence[Sample]]:
        """Times of all inputs to the device, and of all outputs back."""
        ...


@runtime_checkable
class Device(Protocol):
    """A machine with one runtime. `name` is its card's; `accepts` names the artifact formats it runs, the
    best one first.

    Any method but `requirements` raises DeviceUnavailableError where no measurement is possible at all.
    """

    @property
    def name(self) -> str: ...

    @property
    def accepts(self) -> tuple[str, ...]: ...

    def requirements(self) -> Sequence[Requirement]:
        """What it needs to work, each checked now; never raises."""
        ...

    def identity(self) -> Mapping[str, str]:
        """What tells this machine from another whose latencies would differ; equal for equal machines."""
        ...

    def versions(self) -> Mapping[str, str]:
        """Versions of runtime, driver and system behind a measurement."""
        ...

    def setting(self, request: SettingRequest) -> Setting:
        """The full setting for a request; raises UserError for what the device cannot do."""
        ...

    def state(self) -> DeviceState:
        """Load, clocks and temperature now; cheap enough to call around every round."""
        ...

    def open(self, artifact: Artifact, setting: Setting) -> Session:
        """Loads an artifact; raises DeviceError where the runtime refuses it."""
        ...


@runtime_checkable
class CachedDevice(Device, Protocol):
    """A device that also says how large its last cache is: units are timed with that cache full of other
    data, too."""

    @property
    def last_cache_mb(self) -> float: ...


@runtime_checkable
class RemoteDevice(Device, Protocol):
    """A device behind a link where every call costs: it takes many files, and a whole round, in one."""

    def open_all(self, artifacts: Sequence[Artifact], setting: Setting) -> Sequence[Session | DeviceError]:
        """A session an artifact, or why there is none; the files must stay until their session closes."""
        ...

    def round(self, reference: Session, session: Session, runs: int, round_ms: float) -> RemoteRound:
        """Times both, warmed up, for at least `runs` runs and `round_ms`; raises DeviceError."""
        ...

    def close(self) -> None:
        """Lets go of the device and leaves nothing of ours on it."""
        ...


def profile_command(setting: Setting) -> str:
    """The `zenbench profile` that measures a setting, whatever the card of its device says."""
    asked = {name: getattr(setting, name) for name in ("runtime", "precision", "batch", "threads")}
    options = [f" --{name} {value}" for name, value in asked.items()]
    return f"zenbench profile --device {setting.device}{''.join(options)}"
