"""Contexts: the graphs in which a unit is timed as its network runs it.

A unit alone is another graph than inside its network: its shortcut is the graph's input, so that ONNX
Runtime cannot fuse the sum into the convolution before it, and both ends pay for changes of layout. So it
stands between a stem and a tail, 1x1 convolutions from and to END_CHANNELS channels, which every network has
something like. What these cost is measured apart, as the ends of a width and a size, and half of each is
subtracted: over a network, where one unit's output is the next one's input, the ends cancel out.

A unit of the image has no stem, since the image is the network's input too, and the head has no tail.
docs/measuring.md has the other ways that were tried.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...zen.graph import INPUT, Graph
from ...zen.graph_builder import GraphBuilder
from ...zen.network import IMAGE_CHANNELS
from ...zen.workload import Workload

END_CHANNELS = 16
_ENDS = "ends:"


@dataclass(frozen=True, slots=True)
class Ends:
    """A stem and a tail with nothing between them, where a tensor has this width and size."""

    channels: int
    size: int

    @property
    def key(self) -> str:
        return f"{_ENDS}{self.channels}@{self.size}"

    def graph(self) -> Graph:
        builder = GraphBuilder((END_CHANNELS, self.size, self.size))
        _tail(builder, _stem(builder, self.channels))
        return builder.graph()


def is_ends_key(key: str) -> bool:
    return key.startswith(_ENDS)


def ends_of(workload: Workload) -> tuple[Ends, ...]:
    """What a unit meets its context in: before it, behind it, or both."""
    output = workload.graph().output_shape
    before = [Ends(workload.unit.in_channels, workload.size)] if _has_stem(workload) else []
    behind = [Ends(output[0], output[-1])] if len(output) == 3 else []
    return (*before, *behind)


def context_graph(workload: Workload) -> Graph:
    """The unit between its ends."""
    channels = END_CHANNELS if _has_stem(workload) else IMAGE_CHANNELS
    builder = GraphBuilder((channels, workload.size, workload.size))
    x = _stem(builder, workload.unit.in_channels) if _has_stem(workload) else INPUT
    builder.scope = "unit_"
    x = workload.unit.lower(builder, x)
    if len(builder.shape(x)) == 3:
        _tail(builder, x)
    return builder.graph()


def _has_stem(workload: Workload) -> bool:
    return workload.unit.in_channels != IMAGE_CHANNELS


def _stem(builder: GraphBuilder, channels: int) -> str:
    builder.scope = "stem_"
    return builder.activation(builder.batch_norm(builder.conv(INPUT, channels, 1)), "relu")


def _tail(builder: GraphBuilder, x: str) -> str:
    builder.scope = "tail_"
    return builder.conv(x, END_CHANNELS, 1, bias=True)
