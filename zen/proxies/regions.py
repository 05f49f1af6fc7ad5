"""regions: how many linear regions of an untrained network a straight line through its inputs crosses.

A repeat draws two N(0,1) images, looks at `batch` points evenly spaced between them, and counts every
rectifier whose sign differs from one point to the next: each is a border between two linear regions, so
the line crosses 1 + that many. TE-NAS counts the distinct patterns of a batch instead, and that count
saturates: thousands of rectifiers tell any few images apart, so it equals the batch for every network.
This one is bounded by rectifiers x (batch - 1); a finer line finds more, and compares at one batch only.

Weights are He-normal and batch norm applies the fixed statistics of a batch of N(0,1) images, for only
then is the network piecewise linear in one image.

Source: TE-NAS (arXiv 2102.11535) for the measure; Raghu et al., On the Expressive Power of Deep Neural
Networks (arXiv 1606.05336), for counting transitions along a trajectory.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..graph import Activation, Graph
from ..module import build_module, initialise
from ..threads import few_threads
from .base import Score
from .memory import check_memory, pass_bytes, weight_bytes
from .sampling import check_batch, sampled, watch


@few_threads()
@torch.inference_mode()
def regions(graph: Graph, batch: int = 16, repeats: int = 1, seed: int = 0) -> Score:
    """The linear regions of a network's trunk along a line of `batch` points; one line a repeat."""
    check_batch("regions", batch)
    check_memory("regions", batch, 2 * pass_bytes(graph), weight_bytes(graph))
    module = build_module(graph.trunk())
    crossings: list[int] = []

    def count_crossings(x: Tensor) -> None:
        positive = x > 0
        crossings.append(int((positive[1:] != positive[:-1]).sum()))

    def one_repeat(generator: torch.Generator) -> float:
        initialise(module, int(torch.randint(2**62, (), generator=generator)))
        start, end = torch.randn(2, *graph.input_shape, generator=generator)
        crossings.clear()
        module(torch.stack([torch.lerp(start, end, i / (batch - 1)) for i in range(batch)]))
        return 1.0 + sum(crossings)

    watch(module, Activation, count_crossings)
    return sampled("regions", one_repeat, repeats, seed)
