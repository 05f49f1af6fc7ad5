"""Chain: the convolutions of a trunk in a row, each with what its input looks like."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ...errors import NetworkError
from ..graph import (
    INPUT,
    Activation,
    BatchNorm,
    Conv,
    GlobalAveragePool,
    Graph,
    Linear,
    Op,
    Pool,
)
from .activations import IDENTITY, RELU, Moments, moments, rectified_maximum


@dataclass(frozen=True, slots=True)
class ChainLayer:
    """One convolution. `source`: the moments of its input; `size`: the input's height."""

    kernel: int
    stride: int
    size: int
    channels: int
    channels_per_group: int
    source: Moments
    reads_images: bool


@dataclass(frozen=True, slots=True)
class Chain:
    """Layers in order; `values` of the last feature map, and the mean slope of the activation before it."""

    layers: tuple[ChainLayer, ...]
    values: int
    last_slope: float


def chain_of(graph: Graph, reads_images: bool = True) -> Chain:
    """The chain of a graph's trunk, up to its global pool.

    Without `reads_images` the graph is a piece whose input a ReLU gave. Raises NetworkError where the
    trunk has branches, or something between two convolutions whose moments are not known.
    """
    trunk = graph.trunk()
    layers: list[ChainLayer] = []
    source = IDENTITY if reads_images else RELU
    last, shape, normed = INPUT, graph.input_shape, True
    previous: Op | None = None
    for op in trunk.ops:
        if isinstance(op, GlobalAveragePool | Linear):
            break
        if op.inputs != (last,):
            raise NetworkError(_refusal(op, "joins or splits branches"))
        match op:
            case Conv():
                if not op.is_usual:
                    raise NetworkError(_refusal(op, "does not pad an odd kernel by (kernel - 1) / 2"))
                if not normed:
                    raise NetworkError(_refusal(op, "reads a convolution that no batch norm follows"))
                group = op.in_channels // op.groups
                layers.append(
                    ChainLayer(op.kernel, op.stride, shape[1], op.in_channels, group, source, reads_images)
                )
                normed = reads_images = False
            case BatchNorm() if isinstance(previous, Conv):
                source, normed = IDENTITY, True
            case Activation() if source == IDENTITY and normed:
                source = moments(op.function, op.slope)
            case Pool(mode="average", counts_padding=False) if normed:
                source = source.averaged(op.kernel**2)
            case Pool(mode="max") if source == RELU and normed:
                source = rectified_maximum(op.kernel**2)
            case _:
                raise NetworkError(_refusal(op, f"is a {type(op).__name__} at a place without known moments"))
        last, shape, previous = op.name, op.shape, op
    if not layers:
        raise NetworkError("the network has no Zen-Score: it has no convolution before its pooling")
    if not normed:
        raise NetworkError(f"the last convolution, '{last}', has no batch norm; {_INSTEAD}")
    return Chain(tuple(layers), prod(shape), source.slope)


_INSTEAD = "use --proxy zen, which runs forward passes"


def _refusal(op: Op, reason: str) -> str:
    return f"the Zen-Score has no closed form here: '{op.name}' {reason}; {_INSTEAD}"
