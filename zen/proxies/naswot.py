"""naswot: how differently a batch's images switch the rectifiers of an untrained network.

The code c_i of image i is one bit for every rectifier's input, 1 where it is positive; of N_A bits, two
images agree in N_A - d_H(c_i, c_j). The score is log |det K| of that kernel. Weights and images are
N(0,1) and batch norm is in training mode, as in the Zen-NAS comparison.

Source: Mellor et al., Neural Architecture Search without Training (arXiv 2106.04647), equations 1 and 2.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...errors import UserError
from ..graph import Activation, Graph
from ..module import build_module
from ..threads import few_threads
from .base import Score
from .memory import check_memory, pass_bytes, weight_bytes
from .sampling import check_batch, draw_normal, sampled, watch


@few_threads()
@torch.inference_mode()
def naswot(graph: Graph, batch: int = 16, repeats: int = 1, seed: int = 0) -> Score:
    """The NASWOT score of a network's trunk; it grows with the batch, so compare at one batch only.

    Raises UserError where images share a code, which makes the kernel singular.
    """
    check_batch("naswot", batch)
    check_memory("naswot", batch, 2 * pass_bytes(graph), weight_bytes(graph))
    module = build_module(graph.trunk()).train()
    kernel = torch.zeros(batch, batch, dtype=torch.float64)

    def count_agreements(x: Tensor) -> None:
        signs = (x.flatten(1) > 0).float().mul_(2).sub_(1)
        kernel.add_((signs.shape[1] + signs @ signs.T) / 2)

    watch(module, Activation, count_agreements)

    def one_repeat(generator: torch.Generator) -> float:
        draw_normal(module, generator)
        kernel.zero_()
        module(torch.randn(batch, *graph.input_shape, generator=generator))
        return _log_det(kernel)

    return sampled("naswot", one_repeat, repeats, seed)


def _log_det(kernel: Tensor) -> float:
    eigenvalues = torch.linalg.eigvalsh(kernel)
    # A kernel of counts is exact, so only the eigenvalues' own rounding can hide a zero.
    if eigenvalues[0] <= eigenvalues[-1] * len(kernel) * torch.finfo(kernel.dtype).eps:
        raise UserError(
            f"the network has no NASWOT score: some of the {len(kernel)} images switch its rectifiers "
            "alike, so the kernel is singular; use a smaller batch or a larger resolution"
        )
    return float(eigenvalues.log().sum())
