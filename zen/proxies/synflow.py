"""synflow: how much flow from input to output an untrained network's weights carry.

With every weight replaced by its absolute value and an image of ones, R is the sum of the outputs, and a
weight's saliency is w dR/dw. The score is the log of the saliencies' sum, which alone is of the order
10^100 for deep networks. Weights are He-normal, batch norm is the identity, and nothing is drawn but
the weights, in float64.

The form of the Zen-NAS comparison differs: weights are N(0,1), batch norm is live on that one image,
saliencies are |w dR/dw| averaged over each layer's output channels, and the sum's sign is turned. Live
batch norm divides by the deviation of maps that are constant but for their borders, so that number spans
orders of magnitude and scatters by up to half of itself.

Source: Tanaka et al., Pruning neural networks without any data (arXiv 2006.05467), the
synaptic saliency of its objective R_SF.
"""

from __future__ import annotations

from math import log, prod, sqrt

import torch
from torch import Tensor

from ...errors import UserError
from ..graph import BatchNorm, Graph
from ..module import GraphModule, build_module
from ..threads import few_threads
from .base import Score
from .memory import check_memory, gradient_bytes, weight_bytes
from .sampling import draw_normal, sampled, weighted_layers


@few_threads()
@torch.inference_mode(False)
@torch.enable_grad()
def synflow(
    graph: Graph, batch: int = 16, repeats: int = 1, seed: int = 0, reference_sign: bool = False
) -> Score:
    """The SynFlow score of a network's trunk, or its `reference_sign` form; no batch enters.

    Raises UserError where the flow overflows float64, or where the reference form has no variance.
    """
    # In double precision: weights, their gradients and the saliencies.
    check_memory("synflow", 1, 2 * gradient_bytes(graph), 6 * weight_bytes(graph))
    trunk = graph.trunk()
    module = build_module(trunk).double().train(reference_sign)
    if reference_sign and any(isinstance(op, BatchNorm) and prod(op.shape[1:]) == 1 for op in trunk.ops):
        raise UserError(
            "the reference form of SynFlow has no variance at a 1x1 map; use a larger resolution or "
            "the paper's form"
        )

    def one_repeat(generator: torch.Generator) -> float:
        draw_normal(module, generator)
        for layer in weighted_layers(module):
            layer.weight.data.abs_().mul_(1 if reference_sign else sqrt(2 / layer.weight[0].numel()))
        saliencies = _saliencies(module)
        if reference_sign:
            return -sum(saliency.abs().flatten(1).sum(1).mean().item() for saliency in saliencies)
        return log(sum(saliency.sum().item() for saliency in saliencies))

    return sampled("synflow", one_repeat, repeats, seed)


def _saliencies(module: GraphModule) -> list[Tensor]:
    weights = [layer.weight for layer in weighted_layers(module)]
    ones = torch.ones(1, *module.graph.input_shape, dtype=torch.float64)
    gradients = torch.autograd.grad(module(ones).sum(), weights)
    return [weight.detach() * gradient for weight, gradient in zip(weights, gradients, strict=True)]
