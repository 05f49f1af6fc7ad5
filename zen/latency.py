"""The port through which latencies are asked for: a model of one Setting, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from .graph_network import AnyNetwork
from .workload import Workload


class Part(NamedTuple):
    """The latency of one workload, or the sum of several.

    `variance` in ms squared; `measured_ms` is what of `ms` comes from measured rows; `extras` are further
    quantities that add up over a network and that the model's own `total` reads.
    """

    ms: float
    variance: float = 0.0
    measured_ms: float = 0.0
    extras: tuple[float, ...] = ()

    def flat(self) -> tuple[float, ...]:
        """All that adds up, as numbers in a row."""
        return (self.ms, self.variance, self.measured_ms, *self.extras)

    @staticmethod
    def sum(parts: Sequence[Part]) -> Part:
        """Everything added up; of at least one part."""
        ms, variance, measured_ms, *extras = map(sum, zip(*(part.flat() for part in parts), strict=True))
        return Part(ms, variance, measured_ms, tuple(extras))


class Estimate(NamedTuple):
    """The latency of a network for one run of the setting's batch.

    `std_ms` contains what all blocks have in common (the calibration's error); `coverage` is the share
    of the summed milliseconds that comes from measured rows; `sum_ms` is the plain sum of the parts.
    """

    ms: float
    std_ms: float
    coverage: float
    sum_ms: float


class Domain(Protocol):
    """The networks that a latency model has learned from: so many convolutions in a row at most, blocks of
    such a width at least, and some kinds of operations."""

    @property
    def most_convolutions(self) -> int: ...

    @property
    def least_width(self) -> int: ...

    def knows(self, workload: Workload) -> bool:
        """Whether it learned from operations of all the kinds that the workload has."""
        ...


class LatencyModel(Protocol):
    """Where latencies come from: a table, a regression, a live device or a function; one Setting each."""

    device: str
    setting: str

    def block(self, workload: Workload) -> Part:
        """One additive part; depends on the workload alone, so a search may keep it."""
        ...

    def total(self, whole: Part, network: Callable[[], AnyNetwork]) -> Estimate:
        """The whole network from the sum of its parts, with what corrects that sum.

        `network` builds it, for a model that has to see it; a search asks for thousands a second.
        """
        ...
