"""grad-norm: the length of the loss gradient over all parameters of an untrained network.

Weights and images are N(0,1), labels are drawn evenly over the classes, the loss is cross-entropy, and
batch norm is in training mode; weights, biases and batch norm's own parameters all count.

Source: Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS (arXiv 2101.08134), in the
form of the Zen-NAS comparison.
"""

from __future__ import annotations

from math import sqrt

import torch
from torch.nn import functional

from ...errors import UserError
from ..graph import Graph
from ..module import build_module
from ..threads import few_threads
from .base import Score
from .memory import check_memory, gradient_bytes, weight_bytes
from .sampling import check_batch, draw_normal, sampled


@few_threads()
@torch.inference_mode(False)
@torch.enable_grad()
def grad_norm(graph: Graph, batch: int = 16, repeats: int = 1, seed: int = 0) -> Score:
    """The gradient norm of a network's trunk.

    Raises UserError where there are no two classes to tell apart or the gradient overflows.
    """
    check_batch("grad-norm", batch)
    check_memory("grad-norm", batch, gradient_bytes(graph), 2 * weight_bytes(graph))
    module = build_module(graph.trunk()).train()
    parameters = list(module.parameters())
    classes = graph.output_shape[0]
    if classes < 2:
        raise UserError("grad-norm takes a network of 2 classes or more, for with one the loss is constant")

    def one_repeat(generator: torch.Generator) -> float:
        draw_normal(module, generator)
        images = torch.randn(batch, *graph.input_shape, generator=generator)
        labels = torch.randint(classes, (batch,), generator=generator)
        loss = functional.cross_entropy(module(images).flatten(1), labels)
        gradients = torch.autograd.grad(loss, parameters)
        return sqrt(sum(float(gradient.double().square().sum()) for gradient in gradients))

    return sampled("grad-norm", one_repeat, repeats, seed)
