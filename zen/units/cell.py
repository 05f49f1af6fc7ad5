"""The units of NAS-Bench-201: its stem, the searched cell and the reduction block.

Source: NAS-Bench-201 (arXiv 2001.00326), section 2.1 and figure 1. Convolutions are pre-activated
(ReLU, convolution, batch norm), so none of them ends in an activation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from ...errors import NetworkError
from ..graph_builder import GraphBuilder
from .base import Unit

CELL_OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
CELL_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(source, target) of a cell's six operations, in the order in which its string names them: node 0 is
the input, node 3 the output, and a node is the sum of what its operations give it."""
_OUTPUT = 3
_KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


@dataclass(frozen=True, slots=True)
class CellStemUnit(Unit):
    """3x3 convolution and batch norm on the image."""

    kind: ClassVar[str] = "cell_stem"
    in_channels: int
    out_channels: int

    @property
    def layers(self) -> int:
        return 1

    @property
    def label(self) -> str:
        return f"stem 3x3 {self.in_channels}>{self.out_channels}"

    def lower(self, builder: GraphBuilder, x: str) -> str:
        return builder.batch_norm(builder.conv(x, self.out_channels, 3))


@dataclass(frozen=True, slots=True)
class CellUnit(Unit):
    """One cell: `ops` names the operations of CELL_EDGES, joined by dots.

    What reads only zeros or does not reach the output is left out of the graph.
    """

    kind: ClassVar[str] = "cell"
    ops: str
    channels: int

    @property
    def in_channels(self) -> int:
        return self.channels

    @property
    def out_channels(self) -> int:
        return self.channels

    @property
    def layers(self) -> int:
        """Convolutions on the longest way through the cell."""
        depths = {0: 0}
        for source, target, op in self.live():
            depths[target] = max(depths.get(target, 0), depths[source] + (op in _KERNELS))
        return depths[_OUTPUT]

    @property
    def label(self) -> str:
        short = (op.removeprefix("nor_").removesuffix("_connect") for op in self.ops.split("."))
        return f"cell {' '.join(short)} {self.channels}"

    @property
    def is_identity(self) -> bool:
        """Whether the cell hands its input on as it is, by one way of skip connections."""
        live = self.live()
        targets = {target for _, target, _ in live}
        return bool(live) and len(live) == len(targets) and all(op == "skip_connect" for *_, op in live)

    def live(self) -> tuple[tuple[int, int, str], ...]:
        """(source, target, operation) of every operation that the output depends on."""
        return _live(self.ops)

    def lower(self, builder: GraphBuilder, x: str) -> str:
        live, nodes = self.live(), {0: x}
        for target in range(1, _OUTPUT + 1):
            branches = [self._branch(builder, nodes[source], op) for source, to, op in live if to == target]
            if branches:
                nodes[target] = builder.sum(branches)
        return nodes[_OUTPUT]

    def _branch(self, builder: GraphBuilder, x: str, op: str) -> str:
        if op == "skip_connect":
            return x
        if op == "avg_pool_3x3":
            return builder.pool(x, "average", 3, 1)
        return _relu_conv_norm(builder, x, self.channels, _KERNELS[op])

    def check(self, size: int | None = None) -> None:
        # In Python 3.10 a bare super() does not find a class rebuilt for its slots.
        Unit.check(self)
        ops = self.ops.split(".")
        if len(ops) != len(CELL_EDGES):
            raise NetworkError(f"{self}: a cell has {len(CELL_EDGES)} operations, not {len(ops)}")
        for op in ops:
            if op not in CELL_OPS:
                raise NetworkError(f"{self}: there is no operation '{op}'; known are {', '.join(CELL_OPS)}")
        if not self.live():
            raise NetworkError(f"the cell {self.ops} passes nothing from its input to its output")
        if self.is_identity:
            raise NetworkError(f"the cell {self.ops} only hands its input on; leave it out")


# A network asks it of fifteen equal cells, several times.
@lru_cache(maxsize=1024)
def _live(ops: str) -> tuple[tuple[int, int, str], ...]:
    edges = [(*edge, op) for edge, op in zip(CELL_EDGES, ops.split("."), strict=True) if op != "none"]
    fed, needed = {0}, {_OUTPUT}
    for source, target, _ in edges:
        if source in fed:
            fed.add(target)
    for source, target, _ in reversed(edges):
        if target in needed:
            needed.add(source)
    return tuple(edge for edge in edges if edge[0] in fed and edge[1] in needed)


@dataclass(frozen=True, slots=True)
class CellReductionUnit(Unit):
    """Two pre-activated 3x3 convolutions, the first with stride 2, around which goes a 2x2 average
    pool with a 1x1 convolution."""

    kind: ClassVar[str] = "cell_reduction"
    in_channels: int
    out_channels: int

    @property
    def total_stride(self) -> int:
        return 2

    @property
    def layers(self) -> int:
        return 2

    @property
    def label(self) -> str:
        return f"reduction {self.in_channels}>{self.out_channels} /2"

    def lower(self, builder: GraphBuilder, x: str) -> str:
        y = _relu_conv_norm(builder, x, self.out_channels, 3, stride=2)
        y = _relu_conv_norm(builder, y, self.out_channels, 3)
        return builder.add(y, builder.conv(builder.pool(x, "average", 2, 2), self.out_channels, 1))


def _relu_conv_norm(builder: GraphBuilder, x: str, channels: int, kernel: int, stride: int = 1) -> str:
    return builder.batch_norm(builder.conv(builder.activation(x, "relu"), channels, kernel, stride))
