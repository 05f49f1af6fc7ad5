"""Loads: networks measured while a search runs, each load of one on a device a line in the run's folder."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ...devices.base import Device, Setting
from ...devices.card import card
from ...errors import UserError
from ...zen.network import Network, from_json
from ..measuring.measurement import Measurement
from ..measuring.meter import Meter, Visit
from ..measuring.recipe import Recipe
from ..measuring.subjects import subject_of

LOADS_FILE = "loads.jsonl"
FORMAT = "zenbench-loads/1"
RECIPE = Recipe(rounds=5, round_ms=30.0, min_runs=3, max_runs=20, window=1, cold_runs=0)
"""Of one load. With the rounds of a profile (three of 10 ms), networks of 3 ms were 2 to 6 % slower than
`zenbench measure` found them to be: they were still getting faster."""
_PLAIN = ("round", "limit", "ms", "clock_ms", "error", "seconds")
_MOST = 1e9
_log = logging.getLogger("zenbench")


@dataclass(frozen=True)
class NetworkLoad:
    """A network loaded once on the device of a latency limit, in a round of a search's loop.

    `ms`: its fastest run, of quiet rounds where there are any; None with an `error`.
    `clock_ms`: the reference's fastest reading beside it. `seconds`: all that it took, writing and loading
    the file too. `measurements`: its rounds.
    """

    round: int
    limit: str
    network: Network
    ms: float | None
    clock_ms: float | None
    error: str | None
    seconds: float
    measurements: tuple[Measurement, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in _PLAIN},
            "network": self.network.to_json(),
            "measurements": [one.to_json() for one in self.measurements],
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> NetworkLoad:
        """Raises KeyError, TypeError, ValueError or UserError where the data is no load."""
        ms, clock_ms, error, seconds = (data[name] for name in ("ms", "clock_ms", "error", "seconds"))
        whole = type(data["round"]) is int and data["round"] >= 1 and isinstance(data["limit"], str)
        texts = error is None or isinstance(error, str)
        if not (whole and texts and (ms is None) != (error is None) and 0 <= seconds < _MOST):
            raise ValueError("no load")
        if not all(value is None or 0 < value < _MOST for value in (ms, clock_ms)):
            raise ValueError("no time above zero")
        network, rounds = from_json(data["network"]), tuple(map(Measurement.from_json, data["measurements"]))
        return NetworkLoad(data["round"], data["limit"], network, ms, clock_ms, error, seconds, rounds)


def load_of(
    number: int, limit: str, network: Network, rounds: Sequence[Measurement], seconds: float
) -> NetworkLoad:
    """The load that these rounds make up."""
    error = next((one.error for one in rounds if one.error is not None), None)
    timed = [(one.good, one.timing) for one in rounds if one.timing is not None]
    if not timed and error is None:
        error = "nothing was measured"
    quiet = [timing.fastest_ms for good, timing in timed if good]
    ms = None if error else min(quiet or [timing.fastest_ms for _, timing in timed])
    clocks = [timing.reference_ms for _, timing in timed if timing.reference_ms is not None]
    return NetworkLoad(number, limit, network, ms, min(clocks, default=None), error, seconds, tuple(rounds))


def latencies_ms(loads: Iterable[NetworkLoad]) -> dict[tuple[Network, str], list[float]]:
    """By network and limit what every load that succeeded took, a slower clock than usual divided out."""
    found: dict[tuple[Network, str], list[float]] = {}
    loads = list(loads)
    for limit in dict.fromkeys(load.limit for load in loads):
        here = [load for load in loads if load.limit == limit]
        clocks = [load.clock_ms for load in here if load.clock_ms is not None]
        usual_ms = median(clocks) if clocks else None
        for load in here:
            if load.ms is not None:
                drift = load.clock_ms / usual_ms if load.clock_ms and usual_ms else 1.0
                found.setdefault((load.network, limit), []).append(load.ms / drift)
    return found


def measured_load(device: Device, setting: Setting, network: Network) -> tuple[Measurement, ...]:
    """The rounds of one load; what fails is a measurement with its error. Raises DeviceUnavailableError."""
    asked = card(device.name).recipe
    recipe = RECIPE.adapted({name: asked[name] for name in _KEPT if name in asked})
    with Meter(device, setting, recipe) as meter:
        return tuple(meter.window([Visit(subject_of(network), recipe.rounds, recipe.most_rounds)]))


_KEPT = ("min_runs", "max_runs")
"""What a device's card asks for that holds for one load, too."""


class LoadFile:
    """The loads of a run's folder, appended as they are measured."""

    def __init__(self, folder: Path, task: Mapping[str, Any]) -> None:
        """Raises UserError where the file is damaged or of another task; a torn last line is dropped."""
        text = json.dumps(task, sort_keys=True)
        self._head = {"format": FORMAT, "task_sha256": hashlib.sha256(text.encode()).hexdigest()}
        self._path = folder / LOADS_FILE
        self.loads: list[NetworkLoad] = []
        text = self._path.read_text("utf-8") if self._path.exists() else ""
        lines = text.split("\n")
        if lines[-1]:
            _log.warning("dropped the torn last line of %s: its measurement will be repeated", self._path)
            self._path.write_text("\n".join([*lines[:-1], ""]), "utf-8")
        if lines[:-1] and lines[0] != json.dumps(self._head):
            raise UserError(
                f"{self._path} holds the measurements of another search; remove it or choose another --out"
            )
        for number, line in enumerate(lines[1:-1], 2):
            try:
                self.loads.append(NetworkLoad.from_json(json.loads(line)))
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError, UserError):
                raise UserError(
                    f"{self._path} is damaged at line {number}; remove the file to measure its networks again"
                ) from None

    def append(self, load: NetworkLoad) -> None:
        try:
            with self._path.open("a", encoding="utf-8") as file:
                if not file.tell():
                    file.write(json.dumps(self._head) + "\n")
                file.write(json.dumps(load.to_json(), separators=(",", ":"), allow_nan=False) + "\n")
        except OSError as error:
            raise UserError(f"{self._path} cannot be written: {error.strerror}") from None
        self.loads.append(load)
