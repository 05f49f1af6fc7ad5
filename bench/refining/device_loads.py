"""DeviceLoads: the devices of a search's latency limits that are at hand, and the time to measure on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from time import monotonic

from ...devices.base import Connection, Device, Setting, SettingRequest
from ...devices.card import cards
from ...devices.registry import device as find_device
from ...errors import DeviceError, UserError
from ...latency_tables.table import LatencyTable
from ...zen.network import Network
from .loads import LoadFile, NetworkLoad, load_of, measured_load


@dataclass(frozen=True)
class Reached:
    """A device that was reached, and the setting that its table is of."""

    driver: Device
    setting: Setting


def reach(table: LatencyTable, connection: Connection) -> Reached | str:
    """The device of a table where it is at hand and the very one that was measured, or why it is not.

    `connection` is for devices that are not this computer.
    """
    wanted = table.card.setting
    if wanted.device not in cards():
        return f"there is no card of a device '{wanted.device}'"
    mask = wanted.pinning.removeprefix("mask-") if wanted.pinning.startswith("mask-") else None
    request = SettingRequest(wanted.runtime, wanted.precision, wanted.batch, wanted.threads, mask)
    is_reached = not cards()[wanted.device].local
    try:
        driver = find_device(wanted.device, wanted.runtime, connection if is_reached else None)
        setting, identity = driver.setting(request), dict(driver.identity())
    except (DeviceError, UserError) as error:
        return str(error)
    if table.card.provenance == "measured" and identity != dict(table.card.identity):
        return "its table was measured on another one"
    if table.card.provenance == "measured" and setting != wanted:
        return f"its table is of {wanted}, and this process would measure {setting}"
    return Reached(driver, setting)


class DeviceLoads:
    """Takes loads until the time is over; the load under way may finish."""

    def __init__(
        self,
        file: LoadFile,
        reached: Mapping[str, Reached],
        seconds: float,
        report: Callable[[NetworkLoad], None] = lambda load: None,
    ) -> None:
        """`reached`: by limit. What the file holds already has used up its time."""
        self._file, self._reached, self._seconds, self._report = file, reached, seconds, report
        self._charged = 0.0

    @property
    def loads(self) -> list[NetworkLoad]:
        return self._file.loads

    @property
    def spent_seconds(self) -> float:
        return self._charged + sum(load.seconds for load in self.loads)

    def charge(self, seconds: float) -> None:
        self._charged += seconds

    def has_time_for(self, count: int) -> bool:
        usual = fmean(load.seconds for load in self.loads) if self.loads else 0.0
        # The first may begin as long as there is any time, and finish.
        return self.spent_seconds + (count - 1) * usual < self._seconds

    def take(self, number: int, limit: str, network: Network) -> bool:
        """Raises DeviceUnavailableError where the device is gone."""
        if not self.has_time_for(1):
            return False
        started = monotonic()
        there = self._reached[limit]
        rounds = measured_load(there.driver, there.setting, network)
        load = load_of(number, limit, network, rounds, monotonic() - started)
        self._file.append(load)
        self._report(load)
        return True


class RecordedLoads:
    """The loads that a search recorded, given again in the same places."""

    def __init__(self, recorded: Sequence[NetworkLoad]) -> None:
        self._recorded = list(recorded)
        self._given: list[NetworkLoad] = []

    @property
    def loads(self) -> list[NetworkLoad]:
        return self._given

    def has_time_for(self, count: int) -> bool:
        return bool(self._recorded)

    def charge(self, seconds: float) -> None:
        """What was recorded costs no time."""

    def take(self, number: int, limit: str, network: Network) -> bool:
        for load in self._recorded:
            if (load.round, load.limit, load.network) == (number, limit, network):
                self._recorded.remove(load)
                self._given.append(load)
                return True
        return False
