"""What is known of the machines of the published figures before any network is seen.

Each coefficient has a value in its unit and the standard deviation of its logarithm: 0.2 to 0.3 where a
measurement of the hardware stands behind it, 0.5 to 1 where only an order of magnitude is known.

NVIDIA T4: 40 multiprocessors; matrix products of 74.9 TOP/s in INT8 and 41.6 TFLOP/s in FP16, measured
(37.5 and 20.8 TMAC/s); 320 GB/s, about 220 measured (Jia et al., arXiv 1903.07486). V100: 80 multiprocessors,
125 TFLOP/s peak in FP16, 900 GB/s, about 780 measured. Pixel 2: Snapdragon 835 at 2.35 GHz, 18.7 GFLOP/s in
fp32 on one big core (9.4 GMAC/s).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .machines import CpuModel, GpuModel, Machine
from .roofline import log_times
from .roofline_fit import Prior

Beliefs = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Hardware:
    """A machine and what is believed of its coefficients: value, standard deviation of the logarithm."""

    machine: Machine
    beliefs: Beliefs

    def prior(self) -> Prior:
        values = {name: value for name, (value, _) in self.beliefs.items()}
        spreads = np.array([self.beliefs[name][1] for name in self.machine.TERMS])
        return Prior(log_times(self.machine, values), np.diag(spreads**2))


def _gpu(arithmetic: float, bandwidth: float, bytes_per_value: int, **known: tuple[float, float]) -> Beliefs:
    """A GPU's beliefs from its measured arithmetic in TMAC/s and bandwidth in GB/s."""
    each = bandwidth / bytes_per_value
    return {
        "dense": (arithmetic, 0.3),
        "tile": (1e3 * arithmetic / 64, 0.8),
        "image": (arithmetic / 4, 0.7),
        "grouped": (arithmetic / 4, 0.8),
        "depthwise_3": (3.0, 0.8),
        "depthwise_5": (1.5, 0.8),
        "memory": (bandwidth, 0.2),
        "launch": (10.0, 0.5),
        # Between a copy over PCI Express (12 GB/s) and one in the card's own memory.
        "input": (50.0, 1.0),
        "gate": (50.0, 1.0),
        "gate_pool": (each, 0.7),
        "gate_product": (each / 2, 0.8),
        # Read and written by two operations, in fp32 where the compiler has no kernel.
        "smooth": (bandwidth / 12, 0.7),
        "sum": (each, 0.7),
        "norm": (each / 2, 0.7),
        "relu": (each / 2, 0.7),
        "copy": (each, 0.7),
        **known,
    }


T4_INT8 = Hardware(
    GpuModel(multiprocessors=40, channel_granule=32, bytes_per_value=1, fuses=True),
    _gpu(37.5, 220.0, 1, norm=(220 / 4, 0.7), gate_product=(220 / 4, 0.8)),
)
T4_FP16 = Hardware(
    GpuModel(multiprocessors=40, channel_granule=8, bytes_per_value=2, fuses=True), _gpu(20.8, 220.0, 2)
)
V100_FP16 = Hardware(
    GpuModel(multiprocessors=80, channel_granule=8, bytes_per_value=2, fuses=False),
    _gpu(
        40.0,
        780.0,
        2,
        depthwise_3=(1.0, 0.8),
        depthwise_5=(1.0, 0.8),
        # An operation of PyTorch is one kernel, in fp16; a sum reads two maps and writes one.
        smooth=(780 / 4, 0.7),
        sum=(780 / 6, 0.7),
        copy=(780 / 4, 0.7),
    ),
)
PIXEL2_FP32 = Hardware(
    CpuModel(vector_lanes=4, channel_granule=8),
    {
        "dense": (8.5, 0.2),
        "pointwise": (7.5, 0.3),
        "patches": (1.5, 0.7),
        "depthwise_3": (3.0, 0.6),
        "depthwise_5": (3.0, 0.6),
        "depthwise_7": (3.0, 0.6),
        "memory": (8.0, 0.4),
        "launch": (50.0, 0.8),
        "group": (50.0, 1.0),
        "pass": (1.25, 0.6),
        "smooth": (0.2, 0.8),
    },
)
