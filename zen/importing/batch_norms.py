"""Batch norms that an exporter folded away, which the Zen-Score would miss."""

from __future__ import annotations

from ...errors import NetworkError
from ..graph import BatchNorm, Conv, GlobalAveragePool, Graph


def convolutions_without_norm(graph: Graph) -> tuple[str, ...]:
    """The trunk's convolutions before pooling after which no batch norm comes before the next one.

    Exporters fold batch norm into the convolution, and then there is none left to see.
    """
    showing: dict[str, set[str]] = {}  # tensor -> the convolutions whose output it is, but for a norm
    bare: dict[str, None] = {}
    for op in graph.trunk().ops:
        if isinstance(op, GlobalAveragePool):
            break
        showing[op.name] = {name for x in op.inputs for name in showing.get(x, ())}
        if isinstance(op, BatchNorm):
            for name in showing[op.name]:
                bare.pop(name, None)
            showing[op.name] = set()
        elif isinstance(op, Conv):
            showing[op.name] = {op.name}
            bare[op.name] = None
    return tuple(bare)


def require_batch_norm(graph: Graph, name: str) -> None:
    """Raises NetworkError where the Zen-Score of the network called `name` would miss batch norms."""
    bare = len(convolutions_without_norm(graph))
    if bare:
        total = sum(isinstance(op, Conv) for op in graph.trunk().ops)
        raise NetworkError(
            f"{name} has no Zen-Score: {bare} of its {total} convolutions have no batch norm after them "
            "(exporters fold it in); export it with batch norm kept, or take the proxy phi, which needs none"
        )
