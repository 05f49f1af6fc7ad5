"""GraphNetwork: a network that is a graph of its own, whatever wrote it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from ..errors import NetworkError
from .graph import (
    INPUT,
    Activation,
    Affine,
    BatchNorm,
    ChannelScale,
    ChannelShift,
    Conv,
    GlobalAveragePool,
    Graph,
    GroupNorm,
    LayerNorm,
    Linear,
    Operation,
    Priced,
    Shape,
)
from .importing.read_graph import ReadGraph
from .network import Network
from .units.base import Unit
from .units.piece import PieceUnit
from .units.plain import HeadUnit
from .workload import Workload


@dataclass(frozen=True, eq=False)
class GraphNetwork:
    """A network that no structure string spells: a file or module of one's own. Its blocks are the pieces of
    its graph.

    `name` is what its user calls it. `file_digest`: of a file, in whose place it is known; else the digest is
    that of its operations. `unread`: why it could not be read whole, where some of its operations are Priced.
    """

    name: str
    read: ReadGraph
    file_digest: str | None = None
    unread: str | None = None

    def __str__(self) -> str:
        return self.name

    def graph(self) -> Graph:
        return self.read.graph

    def require_read(self) -> None:
        """Raises NetworkError, with the reason, where it is not read whole."""
        if self.unread is not None:
            raise NetworkError(f"{self.name}: {self.unread}")

    @property
    def priced(self) -> dict[str, int]:
        """How many operations of each kind have a price only; views of tensors left out."""
        return dict(Counter(op.kind for op in self.graph().priced if not op.is_view))

    @property
    def resolution(self) -> int:
        shape = self.graph().input_shape
        return shape[-1] if shape else 1

    @property
    def classes(self) -> int:
        shape = self.graph().output_shape
        return shape[0] if shape else 1

    @cached_property
    def layers(self) -> int:
        """Convolutions, linear layers and priced ones like them on the longest way through its trunk."""
        trunk, depths = self.graph().trunk(), {INPUT: 0}
        for op in trunk.ops:
            depths[op.name] = max((depths[name] for name in op.inputs), default=0) + _is_layer(op)
        return depths[trunk.output]

    @cached_property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of its file or else of its operations."""
        graph = self.graph()
        in_channels = graph.input_shape[0] if graph.input_shape else 1
        text = f"{graph.input_shape}{PieceUnit.of(graph.ops, INPUT, in_channels)}"
        return self.file_digest or hashlib.sha256(text.encode()).hexdigest()[:16]

    def workloads(self) -> tuple[Workload, ...]:
        """Its pieces in order, each with the size of its map; NetworkError where images are not square."""
        return self._workloads

    @property
    def blocks(self) -> tuple[Unit, ...]:
        return tuple(workload.unit for workload in self.workloads())

    @cached_property
    def _workloads(self) -> tuple[Workload, ...]:
        graph = self.graph()
        tensor, shape = INPUT, graph.input_shape
        if not _is_map(shape):
            raise NetworkError(
                f"{self.name} takes inputs of {' x '.join(map(str, shape))}; only square images are predicted"
            )
        found = []
        for ops in _pieces(graph):
            found.append(Workload(_unit(ops, tensor, shape[0]), shape[-1]))
            tensor, shape = ops[-1].name, ops[-1].shape
        return tuple(found)


def _unit(ops: Sequence[Operation], tensor: str, in_channels: int) -> Unit:
    """The head that every network of ours has where it is that, else the piece."""
    match ops:
        case [GlobalAveragePool(), Linear(bias=True) as classifier]:
            return HeadUnit(in_channels, classifier.out_features)
    return PieceUnit.of(ops, tensor, in_channels)


AnyNetwork: TypeAlias = Network | GraphNetwork
"""What has a graph, workloads, a digest, a resolution, classes and layers."""

_FOLLOWING = (BatchNorm, LayerNorm, GroupNorm, Activation, Affine, ChannelScale, ChannelShift, Linear)
"""What stays with the operation before it: runtimes fuse most of it, and a head is measured whole."""


def _is_layer(op: Operation) -> bool:
    return isinstance(op, Conv | Linear) or (isinstance(op, Priced) and 0 < op.params < op.macs)


def _is_map(shape: Shape) -> bool:
    return len(shape) == 3 and shape[1] == shape[2]


def _pieces(graph: Graph) -> Iterator[Sequence[Operation]]:
    """The operations, cut wherever all that follows reads a single map, before an operation with work of its
    own."""
    last_use = {name: place for place, op in enumerate(graph.ops) for name in op.inputs}
    start = open_until = 0  # the last reader of what was made before the operation before
    tensor, shape = INPUT, graph.input_shape
    for place, op in enumerate(graph.ops):
        is_alone = open_until < place and _is_map(shape)
        if place > start and is_alone and not isinstance(op, _FOLLOWING):
            yield graph.ops[start:place]
            start = place
        open_until = max(open_until, last_use[tensor])
        tensor, shape = op.name, op.shape
    yield graph.ops[start:]
