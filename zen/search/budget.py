"""Budgets, and the port through which a search asks for latencies."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

from ..cost import Cost
from ..latency import Domain, Estimate, LatencyModel, Part
from ..network import Network


@dataclass(frozen=True)
class LatencyLimit:
    """A limit in ms for one run of the setting's batch, and the model that predicts it.

    With a `confidence` the limit holds with that probability, the prediction's error taken as normal;
    without, the prediction itself must not exceed it. `label` tells limits apart, `host` or `t4/int8/b64`.
    With a `domain`, networks outside it are over budget: the model's word on them is worth little.
    """

    limit_ms: float
    model: LatencyModel
    confidence: float | None = None
    label: str = ""
    domain: Domain | None = None

    @property
    def name(self) -> str:
        return f"latency on {self.label or self.model.device}"

    @property
    def margin(self) -> float:
        """So many standard deviations a prediction must stay below the limit."""
        return NormalDist().inv_cdf(self.confidence) if self.confidence is not None else 0.0

    def estimate(self, network: Network) -> Estimate:
        whole = Part.sum([self.model.block(workload) for workload in network.workloads()])
        return self.model.total(whole, lambda: network)


@dataclass(frozen=True)
class Budget:
    """Limits; None is free. Any number of latency limits, one a device and setting.

    The first four are upper limits on the cost. `max_stage_share`: the most of all layers that one stage
    (the blocks from one stride to the next) may have. `min_width`: the least width of any block.
    `max_depth_to_width`: the most convolutions for their mean width (see `zen/search/shape_limits.py`).
    """

    macs: int | None = None
    params: int | None = None
    layers: int | None = None
    peak_activation_bytes: int | None = None
    latencies: tuple[LatencyLimit, ...] = ()
    max_stage_share: float | None = None
    min_width: int | None = None
    max_depth_to_width: float | None = None

    def broken_by(self, cost: Cost) -> str | None:
        """Name of the first limit on the cost that these counts exceed."""
        for name in ("layers", "params", "macs", "peak_activation_bytes"):
            limit = getattr(self, name)
            if limit is not None and getattr(cost, name) > limit:
                return name
        return None
