"""zen-closed: the expected Zen-Score of a network, from its layer shapes alone.

With N(0,1) weights, the variance of a convolution's output follows from the second moment and the squared
mean of its input (`conv_variance`), those from the activation before it (`activations`). Two things bend
this in depth, and a small state carries them from layer to layer:

* Batch norm makes every channel of unit variance, yet some places and images grow stronger than others.
  The stronger they are, the smaller the mean of a rectified channel beside its second moment: the squared
  mean falls to the share 1 - tail, and the next variance is larger by the factor 1 + h tail, where h is
  squared mean over variance (other activations have their own h). The tail is what earlier layers left
  plus what the last convolution, a sum of few terms, adds itself.
* The correlation of the two passes is mapped by every activation; its angle w = sqrt(1 - correlation)
  grows by sqrt(growth) and stays below one.

Both are chosen to be fractions of linear forms, so that a layer is a small matrix, a stretch of layers the
product of its layers' matrices, and the logarithms of all factors 1 + h tail add up to the logarithm of
one component. docs/closed_form.md derives this, says how the three constants were found, and compares.

Source of the score: Zen-NAS (arXiv 2102.01063), Algorithm 1 (`paper`); `running` is what the
reference implementation's search reads, running variances after two passes at momentum 0.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache, reduce
from math import log, pi, sqrt
from typing import NamedTuple

from ...errors import NetworkError
from ..blocks import block_workloads
from ..graph import Graph
from ..network import Network
from ..outline import Outline, filling, outline
from ..workload import Workload
from .base import GAMMA, Reading
from .chain import Chain, ChainLayer, chain_of
from .conv_variance import ConvGain, conv_gain

SEED = 3.5e-4
"""What a layer adds to the lasting part of the tail,"""
GROWTH = 0.33
"""by how much of h a layer enlarges that part, which settles where the tail is as large,"""
DILUTION = 0.23
"""and by how much of one over the channels a group it shrinks it."""

_SPREAD = 2.41
"""(E u^2 / (E u)^2 - 2 of u = (relu(x) - E relu)^2, x ~ N(0,1)): the excess fourth moment that a sum of n
such inputs gives a batch-normed output is a third of this over n."""
_TYPICAL_TAIL = 0.1
"""Where the tails of the `running` reading, which weigh less in it, grow as in the other."""

_MOST_TAIL = 0.8
"""Of the networks that the closed form was held against the heaviest tail is 0.5."""

_START = sqrt(1 - 1 / sqrt(1 + GAMMA * GAMMA))


class State(NamedTuple):
    """What a layer needs to know of those before it: tails as parts of `scale`, the angle as one of `reach`.

    `lasting`: images and regions that stay strong. `recent`: what the last convolutions added, until the
    next large kernel averages it away. `total`: sum of 0.5 log variance without tails.
    """

    lasting: float = 0.0
    recent: float = 0.0
    scale: float = 1.0
    angle: float = _START
    reach: float = 1.0
    total: float = 0.0


ConvRow = tuple[float, float, float]


class Transfer(NamedTuple):
    """What a stretch of layers does to the state: a matrix, row by row, for `lasting`, `recent` and
    `scale`; the growth of the angle and what that adds to the reach; the sum of the layers' own terms."""

    lasting: ConvRow = (1.0, 0.0, 0.0)
    recent: ConvRow = (0.0, 1.0, 0.0)
    scale: ConvRow = (0.0, 0.0, 1.0)
    growth: float = 1.0
    reach: float = 0.0
    total: float = 0.0

    def repeated(self, times: int) -> Transfer:
        """So many of this stretch in a row, by squaring."""
        if times == 1:
            return self
        half = self.repeated(times // 2)
        twice = half.then(half)
        return twice.then(self) if times % 2 else twice

    def then(self, following: Transfer) -> Transfer:
        """This stretch and the one after it as one."""
        (a, b, c), (d, e, f), (g, h, i) = self[:3]

        def row(x: float, y: float, z: float) -> ConvRow:
            return x * a + y * d + z * g, x * b + y * e + z * h, x * c + y * f + z * i

        return Transfer(
            row(*following.lasting),
            row(*following.recent),
            row(*following.scale),
            self.growth * following.growth,
            self.reach + self.growth * following.reach,
            self.total + following.total,
        )


def through(transfers: Iterable[Transfer]) -> State:
    """The state behind stretches of layers that begin with the image."""
    # A search calls this for every candidate: written for speed.
    lasting, recent, scale, angle, reach, total = State()
    for (a, b, c), (d, e, f), (g, h, i), growth, reached, own in transfers:
        lasting, recent, scale = (
            a * lasting + b * recent + c * scale,
            d * lasting + e * recent + f * scale,
            g * lasting + h * recent + i * scale,
        )
        reach += reached * angle
        angle *= growth
        total += own
    return State(lasting, recent, scale, angle, reach, total)


def zen_closed(network: Network, reading: Reading = "paper") -> float:
    """The expected Zen-Score of a network under one reading.

    Raises NetworkError where it has no closed form: branches that are joined other than by a residual sum.
    """
    if not network.is_plain:
        return graph_score(network.graph(), reading)
    workloads: list[Workload] = []
    size = network.resolution
    for block in network.blocks:
        workloads += block_workloads(block, size)
        size = workloads[-1].output_size
    transfers = [unit_transfer(workload, reading, index == 0) for index, workload in enumerate(workloads)]
    return score_at(through(transfers), network.blocks[-1].out_channels * size * size)


def graph_score(graph: Graph, reading: Reading = "paper") -> float:
    """The expected Zen-Score of any graph that is a chain without its shortcuts; see `zen_closed`."""
    chain = chain_of(graph)
    return score_at(through(layer_transfers(chain, reading)), chain.values, chain.last_slope)


def score_at(state: State, values: int, slope: float = 0.5) -> float:
    """The score where the last feature map has so many values behind an activation of that mean slope."""
    return state.total + 0.5 * log(state.scale) + log_delta(state, values, slope)


def log_delta(state: State, values: int, slope: float = 0.5) -> float:
    """Expected log of the L1 distance of the two passes' last feature maps.

    Raises NetworkError where tails are beyond what the closed form describes: networks of a few channels.
    """
    tail = (state.lasting + state.recent) / state.scale
    if tail > _MOST_TAIL:
        raise NetworkError(
            "the closed form does not hold for a network so narrow; use --proxy zen, which runs passes"
        )
    return log(2 * slope * values * state.angle / state.reach) + 0.5 * log((1 - tail) / pi)


@lru_cache(maxsize=4096)
def unit_transfer(workload: Workload, reading: Reading, first: bool) -> Transfer:
    """The transfer of one unit; `first` where it reads images and not a rectified tensor."""
    found, widths = outline(workload)
    return reduce(Transfer.then, _transfers(_convs(found, first), reading, filling(widths)))


def layer_transfers(chain: Chain, reading: Reading) -> Iterator[Transfer]:
    """The transfer of every layer of a chain."""
    return _transfers([_conv(layer) for layer in chain.layers], reading, {})


class _Conv(NamedTuple):
    """What of a layer its transfer depends on; channels and channels a group may be an outline's marks."""

    gain: ConvGain
    growth: float
    group: int
    channels: int
    reads_images: bool


@lru_cache(maxsize=8192)
def _convs(found: Outline, reads_images: bool) -> tuple[_Conv, ...]:
    return tuple(_conv(layer) for layer in chain_of(found.graph, reads_images).layers)


def _conv(layer: ChainLayer) -> _Conv:
    gain = conv_gain(
        layer.kernel, layer.size, layer.stride, layer.source, padded_before=not layer.reads_images
    )
    return _Conv(
        gain, sqrt(layer.source.growth), layer.channels_per_group, layer.channels, layer.reads_images
    )


def _transfers(convs: Iterable[_Conv], reading: Reading, marked: Mapping[int, int]) -> Iterator[Transfer]:
    channelwise = 0.0
    for gain, growth, group, channels, reads_images in convs:
        sizes = marked.get(group, group), marked.get(channels, channels)
        if reads_images:
            yield Transfer(total=0.5 * log(_read(sizes[0] * gain.variance, reading)))
        else:
            transfer, channelwise = _layer_transfer(gain, growth, *sizes, reading, channelwise)
            yield transfer


def _layer_transfer(
    gain: ConvGain, growth: float, group: int, channels: int, reading: Reading, channelwise: float
) -> tuple[Transfer, float]:
    """A layer's transfer, and what of its recent tail is one channel's own and averages out in the next;
    `channelwise` is that of the layer before."""
    variance = group * gain.variance
    h = gain.by_tail / gain.variance
    weight = h * _share(variance, reading)
    enlarged = 1 + GROWTH * h - DILUTION / group - (h - weight) * _TYPICAL_TAIL
    added = _SPREAD / (4 * channels)
    own = _SPREAD / (4 * gain.taps) * (1 / group - 1 / channels)
    transfer = Transfer(
        (enlarged, 0.0, SEED),
        (0.0, 1 / gain.taps, (added - channelwise) / gain.taps + own),
        (weight, weight, 1.0),
        growth,
        growth - 1,
        0.5 * log(_read(variance, reading)),
    )
    return transfer, own


def _read(variance: float, reading: Reading) -> float:
    return variance if reading == "paper" else 0.81 + 0.19 * variance


def _share(variance: float, reading: Reading) -> float:
    """Derivative of log of what is read by log variance."""
    return 1.0 if reading == "paper" else 0.19 * variance / (0.81 + 0.19 * variance)
