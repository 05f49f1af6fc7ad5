"""The shape of a network: where its layers lie, how narrow it is, and how deep for its width.

A score that adds up over layers prefers depth, and cheap layers at the end of a network most of all:
searched without these limits, networks pile up layers in the last stage. `docs/search.md` shows what
each limit does to a result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp, log
from typing import NamedTuple

from ..blocks import Block
from ..proxies.chain import chain_of
from ..workload import Workload


class Depth(NamedTuple):
    """Convolutions in a row, and the sum of the logarithms of their widths; both add up over blocks."""

    convolutions: int = 0
    log_widths: float = 0.0


def stage_share(blocks: Sequence[Block]) -> float:
    """The largest share of all layers that lies in one stage: from one strided block to the next."""
    stages = [0]
    for block in blocks:
        if block.stride > 1:
            stages.append(0)
        stages[-1] += block.layers
    return max(stages) / sum(stages)


def narrowest(blocks: Iterable[Block]) -> int:
    """The least width of any block, bottlenecks included."""
    return min(min(block.out_channels, block.bottleneck or block.out_channels) for block in blocks)


def block_depth(block: Block, size: int, first: bool) -> Depth:
    """The depth of one block; `first` where it reads images."""
    convolutions, log_widths = 0, 0.0
    for unit, repeats in block.repeated_units():
        layers = chain_of(Workload(unit, size).graph(), first).layers
        convolutions += repeats * len(layers)
        log_widths += repeats * sum(log(layer.channels_per_group * layer.kernel**2) for layer in layers)
        first = False
    return Depth(convolutions, log_widths)


def depth_to_width(depths: Iterable[Depth]) -> float:
    """Convolutions over their geometric mean width, where a convolution's width is the number of values
    that each of its outputs reads: DeepMAD's effectiveness (arXiv 2303.02165), which asks for at most
    0.1 to 2 or so."""
    found = list(depths)
    convolutions = sum(depth.convolutions for depth in found)
    return convolutions / exp(sum(depth.log_widths for depth in found) / convolutions)
