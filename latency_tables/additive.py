"""AdditiveTable: what tables without measured rows have in common: a network is the sum of its units."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from math import sqrt

from ..zen.graph_network import AnyNetwork
from ..zen.latency import Estimate, Part
from ..zen.workload import Workload
from .table import LatencyTable

_MOST_KEPT = 65_536
"""So many parts are kept, so that memory stays bounded."""


class AdditiveTable(ABC):
    """The model in a table's card as the port that searches and predictions ask.

    A part's `extras` are its derivatives by independent directions of the coefficients: errors that units
    have in common add up before they are squared. The rest of the model's error, `noise`, is taken as
    common too, which whole networks cannot contradict.
    """

    def __init__(self, table: LatencyTable, noise: float) -> None:
        self.table = table
        self.device, self.setting = table.card.setting.device, str(table.card.setting)
        self._noise = noise
        self._parts: dict[Workload, Part] = {}

    @abstractmethod
    def _unit(self, workload: Workload) -> Part:
        """Latency of a unit in ms; its extras begin with its derivatives by directions of unit variance."""

    def block(self, workload: Workload) -> Part:
        part = self._parts.get(workload)
        if part is None:
            if len(self._parts) >= _MOST_KEPT:
                self._parts.clear()
            part = self._parts[workload] = self._unit(workload)
        return part

    def total(self, whole: Part, network: Callable[[], AnyNetwork] | None = None) -> Estimate:
        return Estimate(whole.ms, spread(whole.extras, whole.ms, self._noise), 0.0, whole.ms)

    def units_ms(self, network: AnyNetwork) -> dict[Workload, float]:
        """What each unit adds to the network; with repetitions they make up its sum."""
        return {workload: self.block(workload).ms for workload in network.workloads()}

    def estimate(self, network: AnyNetwork) -> Estimate:
        return self.total(Part.sum([self.block(workload) for workload in network.workloads()]))

    @property
    @abstractmethod
    def typical_error(self) -> float:
        """Relative error to expect, from networks left out of the fit."""


def spread(uncertain: Sequence[float], ms: float, noise: float) -> float:
    """Standard deviation in ms, of coefficients along independent directions and of the model itself."""
    return sqrt(sum(value * value for value in uncertain) + (noise * ms) ** 2)
