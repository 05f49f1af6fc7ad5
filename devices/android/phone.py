"""Android phones through TFLite over ADB: Google's `benchmark_model`, pushed, run and read.

A round is one shell call: state, reference, subject, state. What is open is pushed again when a link
that dropped comes back.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import TypeVar

from ...errors import DeviceError, DeviceUnavailableError, UserError
from ..adb.phone import LinkLostError
from ..base import (
    Artifact,
    Connection,
    DeviceState,
    RemoteRound,
    Requirement,
    Sample,
    Session,
    Setting,
    SettingRequest,
)
from ..card import DeviceCard
from . import benchmark_model, runner_download
from .session_folder import AndroidLink, Details
from .state import hot_sensors, read_state

_log = logging.getLogger("zenbench")
T = TypeVar("T")

PRECISIONS = ("fp32", "fp16", "int8")
DELEGATES: Mapping[str, benchmark_model.Delegate] = {
    "litert": "xnnpack",
    "litert-builtin": "none",
    "litert-gpu": "gpu",
}
REFERENCE_RUNS, REFERENCE_MS = 3, 3.0
COOLER_CELSIUS = 5.0
"""A phone that was too hot rests until it is so far below its limits, or it would be so again at once."""
_POLL_S = 5.0
RECONNECT_S = 10.0
"""How long a link that dropped may take to come back: a cable is put in again, a daemon restarts."""


class AndroidPhone:
    """One phone; it is connected to when it is first needed."""

    accepts = ("tflite",)

    def __init__(self, card: DeviceCard, runtime: str, connection: Connection) -> None:
        self._card, self._runtime, self._connection = card, runtime, connection
        self._details = Details.of(card)
        self.name = card.name
        self._link: AndroidLink | None = None
        self._numbers = count()
        self._files: dict[str, Path] = {}
        self._closed: list[str] = []
        self._last: DeviceState | None = None
        self._rested_in_vain = False

    def requirements(self) -> Sequence[Requirement]:
        library = find_spec("adb_shell") is not None
        runner = self._connection.runner or runner_download.kept_path(self._card)
        return [
            Requirement(
                "adb-shell",
                library,
                "installed" if library else "missing",
                "pip install 'zenbench[android]'",
            ),
            Requirement(
                "benchmark_model",
                runner.exists(),
                str(runner) if runner.exists() else "missing",
                f"zenbench setup {self.name}",
            ),
            _presence(self._connection.serial),
        ]

    def identity(self) -> Mapping[str, str]:
        return self._linked().identity

    def versions(self) -> Mapping[str, str]:
        return self._linked().versions

    def setting(self, request: SettingRequest) -> Setting:
        mask = (request.cpu_mask or self._details.cpu_mask).lower().removeprefix("0x").lstrip("0")
        if not re.fullmatch("[0-9a-f]{1,16}", mask):
            raise UserError(
                f"'{request.cpu_mask}' is no CPU mask; write one in hexadecimal, as f0 for the cores 4 to 7"
            )
        asked = replace(request, runtime=self._runtime, cpu_mask=mask)
        setting = self._card.setting(asked, f"mask-{mask}")
        if setting.precision not in PRECISIONS:
            raise UserError(f"{self.name} runs {', '.join(PRECISIONS)}, not '{setting.precision}'")
        if setting.threads > len(_cores(mask)):
            raise UserError(
                f"--threads {setting.threads} is more than the {len(_cores(mask))} cores of the mask {mask}; "
                "widen it with --cpu-mask"
            )
        return setting

    def state(self) -> DeviceState:
        return self._read(self._on_link(AndroidLink.state), self._details.cpu_mask)

    def open(self, artifact: Artifact, setting: Setting) -> AndroidSession:
        return self.open_all([artifact], setting)[0]

    def open_all(self, artifacts: Sequence[Artifact], setting: Setting) -> Sequence[AndroidSession]:
        """Pushes the files together; what the runner cannot load shows in its first round."""
        new = {f"{next(self._numbers)}.{artifact.format}": artifact.path for artifact in artifacts}
        old, self._closed = self._closed, []
        self._on_link(lambda link: link.exchange(old, new))
        self._files.update(new)
        return [AndroidSession(self, name, setting) for name in new]

    def round(self, reference: Session, session: Session, runs: int, round_ms: float) -> RemoteRound:
        first, second = _own(reference), _own(session)
        self._rest()
        before, reports, after = self._run(
            first.setting, [(first.name, REFERENCE_RUNS, REFERENCE_MS), (second.name, runs, round_ms)]
        )
        return RemoteRound(before, [reports[0].measured], [reports[1].warmup], [reports[1].measured], after)

    def time(self, name: str, setting: Setting, runs: int) -> Sequence[Sample]:
        """One call of the runner on a file that was pushed under that name."""
        _, (report,), _ = self._run(setting, [(name, runs, 0.0)])
        return [report.measured]

    def forget(self, name: str) -> None:
        """The file of that name is not needed any more; it is removed with the next push."""
        if self._files.pop(name, None):
            self._closed.append(name)

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def _run(
        self, setting: Setting, asked: Sequence[tuple[str, int, float]]
    ) -> tuple[DeviceState, list[benchmark_model.Report], DeviceState]:
        mask, delegate = setting.pinning.removeprefix("mask-"), DELEGATES[setting.runtime]
        calls = [
            benchmark_model.arguments(name, setting.threads, delegate, setting.precision, runs, least_ms)
            for name, runs, least_ms in asked
        ]
        before, outputs, after = self._on_link(lambda link: link.round(mask, calls))
        self._last = self._read(after, mask)
        reports = [benchmark_model.read(output.text, output.status, delegate) for output in outputs]
        return self._read(before, mask), reports, self._last

    def _read(self, lines: Sequence[str], mask: str) -> DeviceState:
        return read_state(lines, _cores(mask), self._details.hot_celsius)

    def _rest(self) -> None:
        """Waits while the phone is hot; a phone that does not cool in time is measured as it is, and its
        rounds are marked where it throttles."""
        if self._last is None or not self._is_hot(self._last, 0.0):
            self._rested_in_vain = False
            return
        if self._rested_in_vain:
            return
        state, ends = self._last, monotonic() + self._details.rest_s
        _log.warning("%s is hot (%s): waiting until it has cooled", self.name, self._heat(state))
        while self._is_hot(state, COOLER_CELSIUS):
            if monotonic() >= ends:
                self._rested_in_vain = True
                _log.warning("%s is still hot (%s): measuring all the same", self.name, self._heat(state))
                return
            sleep(min(_POLL_S, self._details.rest_s / 10))
            state = self._last = self.state()

    def _is_hot(self, state: DeviceState, below: float) -> bool:
        return bool(state.throttled or hot_sensors(state, self._details.hot_celsius, below))

    def _heat(self, state: DeviceState) -> str:
        sensors = hot_sensors(state, self._details.hot_celsius, COOLER_CELSIUS)
        said = [f"{sensor} {celsius:.0f} °C" for sensor, celsius in sensors.items()]
        return ", ".join([*said, *([state.throttled] if state.throttled else [])])

    def _on_link(self, action: Callable[[AndroidLink], T]) -> T:
        """Acts on the link; where it drops, once more on a new one, with all open files pushed again."""
        try:
            return action(self._linked())
        except LinkLostError as error:
            _log.warning("lost the link to %s (%s); connecting again", self.name, error)
            self.close()
            return action(self._linked(RECONNECT_S))

    def _linked(self, patience_s: float = 0.0) -> AndroidLink:
        if self._link is None:
            runner = runner_download.read_runner(self._card, self._connection.runner)
            ends = monotonic() + patience_s
            while self._link is None:
                try:
                    self._link = AndroidLink(self._card, self._connection.serial, runner)
                except DeviceUnavailableError:
                    if monotonic() >= ends:
                        raise
                    sleep(0.2)
            self._link.exchange([], self._files)
        return self._link


class AndroidSession:
    """A file on the phone."""

    def __init__(self, phone: AndroidPhone, name: str, setting: Setting) -> None:
        self._phone, self.name, self.setting = phone, name, setting

    def time(self, runs: int) -> Sequence[Sample]:
        return self._phone.time(self.name, self.setting, runs)

    def close(self) -> None:
        self._phone.forget(self.name)


def _presence(serial: str | None) -> Requirement:
    """Whether there is a phone to be tried; one that is named is not disturbed for that."""
    serial = serial or os.environ.get("ANDROID_SERIAL")
    if serial:
        return Requirement("phone", True, serial)
    advice = "connect one by USB, or name one on the network in ANDROID_SERIAL"
    try:
        from ..adb.usb import usb_phones

        found = [phone.serial or "one on USB" for phone in usb_phones()]
    except (ImportError, OSError, DeviceError):  # no library, or no USB: no phone
        found = []
    return Requirement("phone", bool(found), ", ".join(found) or "none", advice)


def _own(session: Session) -> AndroidSession:
    if not isinstance(session, AndroidSession):
        raise TypeError("not a session of this driver")
    return session


def _cores(mask: str) -> list[str]:
    bits = int(mask, 16)
    return [str(core) for core in range(bits.bit_length()) if bits >> core & 1]
