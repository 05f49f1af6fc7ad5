"""What every runtime of the host CPU shares: its setting, quiet cores, fixed random inputs, the clock."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from time import perf_counter_ns
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ..base import DeviceState, Sample, Setting, TensorSpec, Wish
from ..card import Card
from . import cpu


class HostDevice:
    """The parts of a `Device` that do not depend on which runtime works on this computer."""

    def __init__(self, card: Card, runtime: str, precisions: tuple[str, ...]) -> None:
        self._card, self._runtime, self._precisions = card, runtime, precisions
        self.name = card.name

    def identity(self) -> Mapping[str, str]:
        return cpu.identity()

    def setting(self, wish: Wish) -> Setting:
        setting = self._card.setting(replace(wish, runtime=self._runtime), cpu.pinning())
        if setting.precision not in self._precisions:
            known = ", ".join(self._precisions)
            raise UserError(f"host through {self._runtime} runs {known}, not '{setting.precision}'")
        cores = len(cpu.usable_cores())
        if cores and setting.threads > cores:
            raise UserError(
                f"--threads {setting.threads} is more than the {cores} cores this process may use"
            )
        return setting

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


def random_inputs(specs: Sequence[TensorSpec]) -> list[NDArray[Any]]:
    """Fixed numbers for every input: N(0,1), and for integers the same spread over their range."""
    random = np.random.default_rng(0)
    return [_fitted(random.standard_normal(spec.shape, np.float32), np.dtype(spec.dtype)) for spec in specs]


def _fitted(values: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind not in "iu" or dtype.itemsize > 1:
        return values.astype(dtype)
    # A byte stands for a number by a scale: three deviations fill the range as a calibrated input does.
    limits = np.iinfo(dtype)
    middle, reach = (limits.min + limits.max) / 2, (limits.max - limits.min) / 2
    spread: NDArray[Any] = np.clip(middle + reach / 3 * values, limits.min, limits.max).astype(dtype)
    return spread


def first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
