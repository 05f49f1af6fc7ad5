"""Where a network's predicted milliseconds go, workload by workload."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ...latency_tables.predictor import Predictor
from ...zen.graph_network import AnyNetwork
from ...zen.workload import Workload


@dataclass(frozen=True)
class BlockLatency:
    """One workload of a network, which holds it `times`; `ms` is what one of them adds to the network.

    `share`: of all of them in the plain sum of the network. `source`: measured, learned, modelled or fitted.
    """

    workload: Workload
    times: int
    ms: float
    std_ms: float
    share: float
    source: str


def block_latencies(model: Predictor, network: AnyNetwork) -> list[BlockLatency]:
    """One entry a different workload, in the network's order."""
    card = model.table.card
    unmeasured = "learned" if card.model is None else card.provenance
    times, units_ms = Counter(network.workloads()), model.units_ms(network)
    sum_ms = sum(times[workload] * ms for workload, ms in units_ms.items())
    found = []
    for workload, ms in units_ms.items():
        part = model.block(workload)
        source = "measured" if part.measured_ms else unmeasured
        share = times[workload] * ms / sum_ms
        found.append(BlockLatency(workload, times[workload], ms, part.variance**0.5, share, source))
    return found


@dataclass(frozen=True)
class Blocks:
    """The chosen network's blocks in one setting."""

    device: str
    setting: str
    latencies: tuple[BlockLatency, ...]
