"""zen-closed: the expected Zen-Score of a network, from its layer shapes alone.

Before any batch norm, the variance of a convolution's output follows from the second moment and the
squared mean of its input; with N(0,1) weights no constant has to be fitted. For a layer with kernel k,
stride s and input size h let f_d be the share of output positions whose tap d falls on the image and
not on the zero padding (one axis), S1 = (sum f_d)^2 and S2 = (sum f_d^2)^2. With n input channels per
group the variance is n S1 for a unit-normal input and n (S1/2 - S2/(2 pi)) for a rectified one. The
correlation of the two passes is mapped once per rectifier, which gives log Delta at the last layer.

Source of the score: Zen-NAS (arXiv 2102.01063), Algorithm 1 (`paper`); `running` is what the
reference implementation's search reads, running variances after two passes at momentum 0.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import acos, log, pi, sqrt

from ..graph import Conv, Graph, tap_shares
from ..network import Network
from ..workload import Workload
from .base import GAMMA, Reading

_SQUARED_MEAN = 1 / (2 * pi)
_SECOND_MOMENT = 0.5


@dataclass(frozen=True, slots=True)
class Terms:
    """The additive part of a score: one sum per reading, and the number of convolutions."""

    paper: float
    running: float
    convolutions: int

    def of(self, reading: Reading) -> float:
        return self.paper if reading == "paper" else self.running


def zen_closed(network: Network, reading: Reading = "paper") -> float:
    """The expected Zen-Score of a network under one reading; cached per unit."""
    total, convolutions, first = 0.0, 0, True
    workloads = network.workloads()
    for workload in workloads:
        terms = workload_terms(workload, first)
        total += terms.of(reading)
        convolutions += terms.convolutions
        first = False
    size = workloads[-1].size
    return total + log_delta(network.blocks[-1].out_channels * size * size, convolutions)


@lru_cache(maxsize=262_144)
def workload_terms(workload: Workload, first: bool) -> Terms:
    """The terms of one unit; `first` where it reads the Gaussian image and not a rectified tensor."""
    return graph_terms(workload.graph(), first)


def graph_terms(graph: Graph, first: bool = True) -> Terms:
    """The terms of any graph whose trunk rectifies before every convolution but a first one."""
    paper = running = 0.0
    convolutions = 0
    for op in graph.trunk().ops:
        if not isinstance(op, Conv):
            continue
        size = graph.shape_of(op.inputs[0])[1]
        variance = conv_variance(op.kernel, size, op.stride, op.in_channels // op.groups, first)
        paper += 0.5 * log(variance)
        running += 0.5 * log(0.81 + 0.19 * variance)
        convolutions += 1
        first = False
    return Terms(paper, running, convolutions)


def conv_variance(kernel: int, size: int, stride: int, channels_per_group: int, gaussian: bool) -> float:
    """Expected output variance of an N(0,1)-weighted convolution of a unit-normal or rectified input."""
    s1, s2 = _tap_sums(kernel, size, stride)
    if gaussian:
        return channels_per_group * s1
    return channels_per_group * (s1 * _SECOND_MOMENT - s2 * _SQUARED_MEAN)


@lru_cache(maxsize=4096)
def _tap_sums(kernel: int, size: int, stride: int) -> tuple[float, float]:
    shares = tap_shares(kernel, size, stride)
    return sum(shares) ** 2, sum(share * share for share in shares) ** 2


@lru_cache(maxsize=4096)
def log_delta(values: int, convolutions: int) -> float:
    """Expected log of the L1 distance of the two passes' last feature maps of `values` numbers."""
    return log(values) + 0.5 * log((1 - _correlation(convolutions)) / pi)


@lru_cache(maxsize=4096)
def _correlation(convolutions: int) -> float:
    correlation = 1 / sqrt(1 + GAMMA * GAMMA)
    for _ in range(convolutions - 1):
        kappa = (sqrt(1 - correlation**2) + correlation * (pi - acos(correlation))) / (2 * pi)
        correlation = (kappa - _SQUARED_MEAN) / (_SECOND_MOMENT - _SQUARED_MEAN)
    return correlation
