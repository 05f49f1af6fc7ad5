"""te: minus the condition number of an untrained network's tangent kernel, TE-NAS's measure of trainability.

The kernel K = J J^T holds, for two images of a batch, the product of the gradients of their summed
logits over all weights, batch norm's included. The score is -(largest / smallest eigenvalue), so 0 is
out of reach, -1 is best, and larger is better. Weights are U(-b, b), b = 1 / sqrt(fan-in), images N(0,1),
and batch norm is in training mode.

Source: Chen et al., TE-NAS (arXiv 2102.11535), the condition number of the NTK, in the form of the
Zen-NAS comparison; TE-NAS also ranks by linear regions, which are the proxy `regions`.
"""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor

from ...errors import UserError
from ..graph import Graph
from ..module import build_module
from ..threads import few_threads
from .base import Score
from .memory import check_memory, gradient_bytes, weight_bytes
from .sampling import check_batch, sampled, weighted_layers


@few_threads()
@torch.inference_mode(False)
@torch.enable_grad()
def te(graph: Graph, batch: int = 16, repeats: int = 1, seed: int = 0) -> Score:
    """The tangent kernel's score of a network's trunk; it takes a gradient an image, all held at once.

    Raises UserError where the kernel is singular to fp32.
    """
    check_batch("te", batch)
    weights_bytes = weight_bytes(graph)  # a row of the Jacobian is as large
    check_memory("te", batch, gradient_bytes(graph) + 2 * weights_bytes, weights_bytes)
    module = build_module(graph.trunk()).train()
    weights = [parameter for name, parameter in module.named_parameters() if name.endswith("weight")]

    def one_repeat(generator: torch.Generator) -> float:
        for layer in weighted_layers(module):
            bound = 1 / sqrt(layer.weight[0].numel())
            layer.weight.data.uniform_(-bound, bound, generator=generator)
        logits = module(torch.randn(batch, *graph.input_shape, generator=generator)).flatten(1)
        jacobian = torch.stack([_gradient(image.sum(), weights) for image in logits])
        return -_condition(jacobian @ jacobian.T)

    return sampled("te", one_repeat, repeats, seed)


def _gradient(output: Tensor, weights: list[torch.nn.Parameter]) -> Tensor:
    gradients = torch.autograd.grad(output, weights, retain_graph=True)
    return torch.cat([gradient.flatten() for gradient in gradients])


def _condition(kernel: Tensor) -> float:
    if not kernel.isfinite().all():
        raise UserError("the network has no TE score: its gradients overflow; use another proxy")
    eigenvalues = torch.linalg.eigvalsh(kernel.double())
    # Below the rounding of the fp32 gradients an eigenvalue is noise, of either sign.
    if eigenvalues[0] <= eigenvalues[-1] * len(kernel) * torch.finfo(torch.float32).eps:
        raise UserError(
            f"the network has no TE score: the tangent kernel of {len(kernel)} images is singular, because "
            "their gradients depend on each other; use a smaller batch or a larger resolution"
        )
    return float(eigenvalues[-1] / eigenvalues[0])
