"""entropy: the multi-scale maximum-entropy score of a detection backbone, in closed form.

The entropy of a Gaussian feature map is, but for constants, the log of its standard deviation. With N(0,1)
weights and images, no shortcuts, no batch norm and no non-linearity, a convolution with kernel k, c input
channels and g groups multiplies the variance by k^2 c / g, so the last map C_i at stride 2^i has

    H_i = log channels + 1/2 sum of log(k^2 c / g) over all convolutions up to it,

and the score is 1 H_3 + 1 H_4 + 6 H_5: small objects are found on C3, most of the weight is on C5.

Source: MAE-DET (arXiv 2111.13336), the Gaussian bound on a map's entropy and the multi-scale prior with
weights 0, 0, 1, 1, 6; the closed form with its log channels is that of the authors' implementation.
DeepMAD (arXiv 2303.02165) multiplies by log(channels x height x width) where this adds log channels.
"""

from __future__ import annotations

from itertools import groupby, takewhile
from math import log, log2
from time import perf_counter

from ...errors import UserError
from ..graph import INPUT, Conv, GlobalAveragePool, Graph
from .base import Score

STAGE_WEIGHTS = {3: 1.0, 4: 1.0, 5: 6.0}


def entropy(graph: Graph, batch: int = 16, repeats: int = 1, seed: int = 0) -> Score:
    """The multi-scale entropy of a network's trunk; exact.

    Raises UserError where the trunk is not a chain, or has no maps at strides 8, 16 and 32.
    """
    start = perf_counter()
    stages = stage_entropies(graph)
    if missing := [2**stage for stage in STAGE_WEIGHTS if stage not in stages]:
        raise UserError(
            f"the network has no map at stride {' or '.join(map(str, missing))}, but entropy scores "
            "detection backbones by their maps at strides 8, 16 and 32; use a network that reaches them"
        )
    value = sum(weight * stages[stage] for stage, weight in STAGE_WEIGHTS.items())
    return Score("entropy", value, 0.0, 1, perf_counter() - start)


def stage_entropies(graph: Graph) -> dict[int, float]:
    """H_i of C_i, the last unit's output at stride 2^i; raises UserError where the trunk is no chain."""
    height = graph.input_shape[1]
    features = takewhile(lambda op: not isinstance(op, GlobalAveragePool), graph.trunk().ops)
    stages: dict[int, float] = {}
    log_std, previous = 0.0, INPUT
    # Inside a unit there may be a wider map at the old stride, on its way to the strided convolution.
    for _, unit in groupby(features, key=lambda op: op.name.partition("_")[0]):
        for op in unit:
            if op.inputs != (previous,):
                raise UserError(f"entropy is defined for a chain of layers, but '{op.name}' is on a branch")
            previous = op.name
            if isinstance(op, Conv):
                log_std += 0.5 * log(op.kernel**2 * op.in_channels / op.groups)
        stages[round(log2(height / op.shape[1]))] = log(op.shape[0]) + log_std
    return stages
