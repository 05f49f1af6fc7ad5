"""What every runtime of the host CPU shares: its setting, quiet cores, fixed random inputs, the clock."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from time import perf_counter_ns
from typing import Any

from ...errors import UserError
from ..base import DeviceState, Sample, Setting, SettingRequest
from ..card import DeviceCard
from . import cpu


class HostDevice:
    """The parts of a `Device` that do not depend on which runtime works on this computer."""

    def __init__(self, card: DeviceCard, runtime: str, precisions: tuple[str, ...]) -> None:
        self._card, self._runtime, self._precisions = card, runtime, precisions
        self.name = card.name

    def identity(self) -> Mapping[str, str]:
        return cpu.identity()

    def setting(self, request: SettingRequest) -> Setting:
        setting = self._card.setting(replace(request, runtime=self._runtime), cpu.pinning())
        if setting.precision not in self._precisions:
            known = ", ".join(self._precisions)
            raise UserError(f"host through {self._runtime} runs {known}, not '{setting.precision}'")
        cores = len(cpu.usable_cores())
        if cores and setting.threads > cores:
            raise UserError(
                f"--threads {setting.threads} is more than the {cores} cores this process may use"
            )
        return setting

    @property
    def last_cache_mb(self) -> float:
        return cpu.last_cache_mb()

    def state(self) -> DeviceState:
        return cpu.state(max(cpu.usable_cores(), default=0))


def system_versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }


def quiet_cores(setting: Setting) -> ExitStack:
    """As the setting's pinning says; threads started inside inherit cores and priority, so that no worker
    waits for an ordinary program while the others wait for it."""
    stack = ExitStack()
    if setting.pinning != "free":
        stack.enter_context(cpu.pinned(setting.threads))
    if setting.pinning.endswith("realtime"):
        stack.enter_context(cpu.realtime())
    return stack


def timed(run: Callable[[], Any], runs: int, setting: Setting) -> Sequence[Sample]:
    """Calls `run` in a row on quiet cores; the monotonic clock is read between calls."""
    marks = [0] * (runs + 1)
    with quiet_cores(setting):
        marks[0] = perf_counter_ns()
        for index in range(1, runs + 1):
            run()
            marks[index] = perf_counter_ns()
    return [Sample((end - start) / 1e6) for start, end in pairwise(marks)]
