"""phi: the Phi-Score, the Zen-Score of the network without its batch norms.

Every repeat draws N(0,1) convolution weights and N(0,1) images x and e, and sends x and x + GAMMA e
through the trunk with batch norm left out. The score is log Delta, Delta being the batch mean of the L1
distance of the two last feature maps before pooling: a forward difference for the gradient norm of the
definition. Delta grows by up to an order of magnitude a layer, so fp32 ends after some forty; the
Zen-Score normalises every layer and adds the logs of what it divided by, and so has no such end.

Source: Zen-NAS (arXiv 2102.01063), the Phi-score of its vanilla networks (Definition 1).
"""

from __future__ import annotations

from itertools import takewhile
from math import isfinite, log

import torch
from torch import Tensor, nn

from ...errors import UserError
from ..graph import Conv, GlobalAveragePool, Graph
from ..module import GraphModule, build_module
from ..threads import few_threads
from .base import GAMMA, Score
from .memory import check_memory, pass_bytes, weight_bytes
from .sampling import check_batch, draw_normal, sampled, watch


@few_threads()
@torch.inference_mode()
def phi(graph: Graph, batch: int = 16, repeats: int = 1, seed: int = 0) -> Score:
    """The Phi-Score of a network's trunk.

    Raises UserError with the layer where fp32 overflows, or where the feature map does not change.
    """
    module, deltas = _watched(graph, batch)

    def one_repeat(generator: torch.Generator) -> float:
        _pass(module, deltas, batch, generator)
        for layer, delta in enumerate(deltas, 1):
            if not isfinite(delta):
                raise UserError(
                    f"the network has no Phi-Score: fp32 overflows at layer {layer} of {len(deltas)}; "
                    "use the Zen-Score, which exists for that reason"
                )
            if delta == 0:
                raise UserError(
                    f"the network has no Phi-Score: layer {layer} of {len(deltas)} does not change with the "
                    "image; use a larger batch or resolution"
                )
        return log(deltas[-1])

    return sampled("phi", one_repeat, repeats, seed)


@few_threads()
@torch.inference_mode()
def phi_by_depth(graph: Graph, batch: int = 16, seed: int = 0) -> list[float]:
    """log Delta after each layer (convolution) up to the last that fp32 holds; the end is phi's value."""
    module, deltas = _watched(graph, batch)
    _pass(module, deltas, batch, torch.Generator().manual_seed(seed))
    return [log(delta) for delta in takewhile(lambda delta: isfinite(delta) and delta > 0, deltas)]


def _watched(graph: Graph, batch: int) -> tuple[GraphModule, list[float]]:
    """The trunk's module without batch norms, and the list that its passes fill with one Delta a layer."""
    check_batch("phi", batch)
    check_memory("phi", batch, 4 * pass_bytes(graph), weight_bytes(graph))
    module = build_module(_before_pooling(graph.trunk()))
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps = 0  # in eval mode, with mean 0 and variance 1, it is then the identity
    deltas: list[float] = []
    watch(module, Conv, lambda x: deltas.append(_distance(x, batch)))
    return module, deltas


def _before_pooling(trunk: Graph) -> Graph:
    end = next((i for i, op in enumerate(trunk.ops) if isinstance(op, GlobalAveragePool)), len(trunk.ops))
    return Graph(trunk.input_shape, trunk.ops[:end])


def _pass(module: GraphModule, deltas: list[float], batch: int, generator: torch.Generator) -> None:
    draw_normal(module, generator)
    images, noise = torch.randn(2, batch, *module.graph.input_shape, generator=generator)
    deltas.clear()
    features = module(torch.cat([images, images + GAMMA * noise]))
    # A layer's output is the next convolution's input; what the first one reads is the image.
    deltas[:] = [*deltas[1:], _distance(features, batch)]


def _distance(x: Tensor, batch: int) -> float:
    return (x[batch:].double() - x[:batch].double()).abs().flatten(1).sum(1).mean().item()
