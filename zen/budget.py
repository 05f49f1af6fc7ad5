"""Budgets, and the port through which a search asks for latencies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .cost import Cost
from .network import Network
from .workload import Workload


@dataclass(frozen=True, slots=True)
class Part:
    """The latency of one workload, or the sum of several.

    `variance` in ms squared; `measured_ms` is what of `ms` comes from measured rows; `extras` are further
    quantities that add up over a network and that the model's own `total` reads.
    """

    ms: float
    variance: float = 0.0
    measured_ms: float = 0.0
    extras: tuple[float, ...] = ()

    @staticmethod
    def sum(parts: Sequence[Part]) -> Part:
        """Everything added up; of at least one part."""
        return Part(
            sum(part.ms for part in parts),
            sum(part.variance for part in parts),
            sum(part.measured_ms for part in parts),
            tuple(map(sum, zip(*(part.extras for part in parts), strict=True))),
        )


@dataclass(frozen=True, slots=True)
class Estimate:
    """The latency of a network for one run of the setting's batch.

    `std_ms` contains what all blocks have in common (the calibration's error); `coverage` is the share
    of the summed milliseconds that comes from measured rows; `sum_ms` is the plain sum of the parts.
    """

    ms: float
    std_ms: float
    coverage: float
    sum_ms: float


class LatencyModel(Protocol):
    """Where latencies come from: a table, a regression, a live device or a function; one Setting each."""

    device: str
    setting: str

    def block(self, workload: Workload) -> Part:
        """One additive part; depends on the workload alone, so a search may keep it."""
        ...

    def total(self, parts: Sequence[Part], network: Network) -> Estimate:
        """The whole network from parts that cover `network.workloads()`, with what corrects their sum."""
        ...


@dataclass(frozen=True)
class LatencyLimit:
    """A limit in ms for one run of the setting's batch, and the model that predicts it."""

    limit_ms: float
    model: LatencyModel

    @property
    def name(self) -> str:
        return f"latency on {self.model.device}"

    def estimate(self, network: Network) -> Estimate:
        parts = [self.model.block(workload) for workload in network.workloads()]
        return self.model.total(parts, network)


@dataclass(frozen=True)
class Budget:
    """Upper limits; None is free. Any number of latency limits, one a device and setting."""

    macs: int | None = None
    params: int | None = None
    layers: int | None = None
    peak_activation_bytes: int | None = None
    latencies: tuple[LatencyLimit, ...] = ()

    def broken_by(self, cost: Cost) -> str | None:
        """Name of the first limit that these counts exceed."""
        for name in ("layers", "params", "macs", "peak_activation_bytes"):
            limit = getattr(self, name)
            if limit is not None and getattr(cost, name) > limit:
                return name
        return None
