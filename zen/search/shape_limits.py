"""The shape of a network: where its layers lie, how narrow it is, and how deep for its width.

A score that adds up over layers prefers depth, and cheap layers at the end of a network most of all:
searched without these limits, networks pile up layers in the last stage. `docs/search.md` shows what
each limit does to a result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import exp, log
from typing import NamedTuple

from ..blocks import Block
from ..outline import Outline, filling, outline
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


def block_depth(block: Block, size: int) -> Depth:
    convolutions, log_widths = 0, 0.0
    for unit, repeats in block.repeated_units():
        found, widths = outline(Workload(unit, size))
        put, read = filling(widths).get, _read(found)
        convolutions += repeats * len(read)
        log_widths += repeats * sum(log(put(channels, channels) * taps) for channels, taps in read)
    return Depth(convolutions, log_widths)


@lru_cache(maxsize=8192)
def _read(found: Outline) -> tuple[tuple[int, int], ...]:
    """What every convolution reads: the channels of a group, or their mark, and the taps of its kernel."""
    layers = chain_of(found.graph, reads_images=False).layers
    return tuple((layer.channels_per_group, layer.kernel**2) for layer in layers)


def depth_to_width(depths: Iterable[Depth]) -> float:
    """Convolutions over their geometric mean width, where a convolution's width is the number of values
    that each of its outputs reads: DeepMAD's effectiveness (arXiv 2303.02165), which asks for at most
    0.1 to 2 or so."""
    found = list(depths)
    convolutions = sum(depth.convolutions for depth in found)
    return convolutions / exp(sum(depth.log_widths for depth in found) / convolutions)
