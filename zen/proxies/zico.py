"""zico: how large and how steady the gradients of an untrained network are from batch to batch.

For every weight of a convolution or linear layer, the mean of the absolute gradients over BATCHES batches
is divided by their standard deviation. These ratios are added up in each layer, and the logarithms of the
layers' sums are the score. Weights are U(-b, b), b = 1 / sqrt(fan-in), as torch starts layers; images are
N(0,1), labels drawn evenly, the loss is cross-entropy, and batch norm is in training mode. Weights whose
gradients are equal in all batches (dead ones) are left out.

Source: Li et al., ZiCo: Zero-shot NAS via Inverse Coefficient of Variation on Gradients (arXiv
2301.11300), its definition of ZiCo. The authors' code takes the deviation of signed gradients; this is
the paper's, of absolute ones.
"""

from __future__ import annotations

from math import log, sqrt

import torch
from torch.nn import functional

from ...errors import UserError
from ..graph import Graph
from ..module import build_module
from ..threads import few_threads
from .base import Score
from .memory import check_memory, gradient_bytes, weight_bytes
from .sampling import check_batch, sampled, weighted_layers

BATCHES = 2
"""As many as the authors search with."""


@few_threads()
@torch.inference_mode(False)
@torch.enable_grad()
def zico(graph: Graph, batch: int = 16, repeats: int = 1, seed: int = 0) -> Score:
    """The ZiCo score of a network's trunk, with `batch` images in each of BATCHES batches.

    Raises UserError where there are no two classes to tell apart, or a layer has no gradient.
    """
    check_batch("zico", batch)
    check_memory("zico", batch, gradient_bytes(graph), (1 + BATCHES) * weight_bytes(graph))
    module = build_module(graph.trunk()).train()
    classes = graph.output_shape[0]
    if classes < 2:
        raise UserError("zico takes a network of 2 classes or more, for with one the loss is constant")
    layers = list(weighted_layers(module))

    def one_repeat(generator: torch.Generator) -> float:
        for layer in layers:
            bound = 1 / sqrt(layer.weight[0].numel())
            layer.weight.data.uniform_(-bound, bound, generator=generator)
        gradients = []
        for _ in range(BATCHES):
            images = torch.randn(batch, *graph.input_shape, generator=generator)
            labels = torch.randint(classes, (batch,), generator=generator)
            loss = functional.cross_entropy(module(images).flatten(1), labels)
            gradients.append(torch.autograd.grad(loss, [layer.weight for layer in layers]))
        return sum(_steadiness(torch.stack(layer).abs().double()) for layer in zip(*gradients, strict=True))

    return sampled("zico", one_repeat, repeats, seed)


def _steadiness(sizes: torch.Tensor) -> float:
    """Log of the summed mean over deviation of one layer's gradients; of shape (batches, *weights)."""
    mean, deviation = sizes.mean(0), sizes.std(0, correction=0)
    told = deviation > 0
    total = float((mean[told] / deviation[told]).sum())
    if total <= 0:
        raise UserError("the network has no zico score: a layer has no gradient; use another proxy")
    return log(total)
