"""How much of a prediction lies in operations that were not read, and what that adds to its deviation."""

from __future__ import annotations

from math import hypot

from ...latency_tables.predictor import Predictor
from ...zen.graph_network import AnyNetwork, GraphNetwork
from ...zen.latency import Estimate
from .block_latencies import block_latencies

UNREAD_STD = 0.5
"""Standard deviation of what such blocks take, of what is predicted for them, common to all of a network.

A matrix product or so many bytes stand for each operation. The errors of 11 such networks of timm on the
host, over these shares, have a root mean square of 0.54 (benchmarks/foreign_latencies.py).
"""


def unread_share(model: Predictor, network: AnyNetwork) -> float:
    """Of a network's predicted blocks, the share of those that hold operations with a price only."""
    if not isinstance(network, GraphNetwork) or network.unread is None:
        return 0.0
    blocks = block_latencies(model, network)
    return sum(block.share for block in blocks if block.workload.graph().priced)


def estimate_of(model: Predictor, network: AnyNetwork) -> tuple[Estimate, float]:
    """What a model predicts for a network, with a deviation that covers what was not read; and that share."""
    found, share = model.estimate(network), unread_share(model, network)
    return found._replace(std_ms=hypot(found.std_ms, UNREAD_STD * share * found.ms)), share
