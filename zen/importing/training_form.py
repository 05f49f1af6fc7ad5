"""Re-parameterised networks (RepVGG, MobileOne, FastViT ...) as they are trained, told by their graph.

Their parallel branches compute what one convolution computes once they are merged: RepVGG (arXiv 2101.03697),
section 3.3.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..graph import Add, BatchNorm, Conv, Graph, Operation


def training_form(graph: Graph) -> str | None:
    """A sentence on a network that is in its training form and says how to deploy it; None for all others.

    It sums several convolutions of one tensor that give the same shape, or one beside a batch norm of that
    tensor alone. Shortcuts of residual networks are no such branches: what their trunk ends in reads another
    tensor than they do.
    """
    ops = {op.name: op for op in graph.ops}
    added = {op.name: list(_branches(op, ops)) for op in graph.ops if isinstance(op, Add)}
    sums = [name for name, branches in added.items() if _is_parallel(branches, ops)]
    if not sums:
        return None
    return (
        f"this is its training form, which sums parallel branches (first at '{sums[0]}'); deploy it first, "
        "with timm: timm.utils.reparameterize_model(module)"
    )


def _branches(op: Add, ops: dict[str, Operation]) -> Iterator[str]:
    """The tensors that a sum adds, and those of the sums before it."""
    for name in op.inputs:
        before = ops.get(name)
        if isinstance(before, Add):
            yield from _branches(before, ops)
        else:
            yield name


def _is_parallel(branches: list[str], ops: dict[str, Operation]) -> bool:
    found = [_origins(name, ops) for name in dict.fromkeys(branches)]
    common = set(found[0]).intersection(*found)
    kinds = [[origins[x] for origins in found] for x in common]
    return any("conv" in of_x and len(of_x) - of_x.count("itself") > 1 for of_x in kinds)


def _origins(branch: str, ops: dict[str, Operation]) -> dict[str, str]:
    """The tensors that a branch may be one layer of, and which."""
    found = {branch: "itself"}
    op = ops.get(branch)
    if isinstance(op, BatchNorm):
        found[op.inputs[0]] = "norm"
        op = ops.get(op.inputs[0])
    if isinstance(op, Conv):
        found[op.inputs[0]] = "conv"
    return found
