"""Toy networks, latency models, spaces and tables that several tests use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import onnx
import onnxruntime
from zenbench.devices.base import Setting
from zenbench.latency_tables.card import TableCard
from zenbench.latency_tables.row import Basis, Row, Verdict
from zenbench.zen.cost import workload_cost
from zenbench.zen.latency import Estimate, Part
from zenbench.zen.network import Network
from zenbench.zen.workload import Workload

STEM = "SuperConvK3BNRELU(3,8,1,1)"
PLAIN = f"{STEM}SuperResK3K3(8,16,2,8,1)"
"""A stem and one residual block of two convolutions."""
PLAIN_WITH_END = f"{PLAIN}SuperConvK1BNRELU(16,32,1,1)"
STRIDED = "SuperConvK3BNRELU(3,8,2,1)SuperResK3K3(8,16,2,8,1)"
"""The same behind a stem of stride 2."""
MOBILE = "SuperConvK3BNRELU(3,8,2,1)SuperResIDWE2K3(8,16,2,16,1)SuperConvK1BNRELU(16,64,1,1)"
"""A stem of stride 2, an inverted bottleneck, a last convolution."""

TINY_SPACE = """
name = "tiny"
kinds = ["basic"]
kernels = [3]
widths = [8, 8]
last_widths = [8, 8]
most_layers_a_block = 2
random_macs_at_224 = 1e9

[[start]]
up_to_resolution = 224
blocks = "SuperConvK3BNRELU(3,8,1,1)SuperResK3K3(8,8,2,8,1)SuperConvK1BNRELU(8,8,1,1)"
"""
"""A space of so few networks that a profile comes to its end."""

SIMULATED = Setting("simulated", "simulated")
SMALL_CONV = Workload.parse("conv(kernel=3,in_channels=3,out_channels=8,stride=2)@16")


class MacsModel:
    """A latency model as a user would write one: so many MACs a millisecond, 10 % more for the whole."""

    device, setting = "toy", "toy/fp32/b1/t1/free"

    def block(self, workload: Workload) -> Part:
        return Part(workload_cost(workload).macs / 1e7)

    def total(self, whole: Part, network: Callable[[], Network]) -> Estimate:
        return Estimate(1.1 * whole.ms, 0.1 * whole.ms, 0.0, whole.ms)


def measured_card(setting: Setting = SIMULATED, basis: Basis = "alone") -> TableCard:
    """The card of a measured table whose reference took a millisecond."""
    return TableCard(setting, "measured", {}, {}, {}, "reference", 1.0, "2026", "test", basis=basis)


def row(ms: float, spread: float = 0.02, rounds: int = 5, verdict: Verdict = "quiet") -> Row:
    """A row of ten runs a round."""
    return Row(ms, ms, spread, rounds, 10 * rounds, verdict)


def optimised(file: Path, folder: Path) -> Counter[str]:
    """How many nodes of each type are left once ONNX Runtime has loaded a file; `folder` takes a copy."""
    options, kept = onnxruntime.SessionOptions(), folder / "optimised.onnx"
    options.optimized_model_filepath, options.log_severity_level = str(kept), 3
    onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(kept).graph.node)
