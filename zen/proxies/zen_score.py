"""zen: the Zen-Score by forward passes, as the paper defines it, in both of its readings.

Every repeat draws N(0,1) convolution weights and N(0,1) images x and e, and sends x and x + GAMMA e
through the trunk (no shortcuts, no gates) with batch norm in training mode, weight 1 and bias 0.
Delta is the batch mean of the L1 distance of the two last feature maps before pooling, and v a batch
norm's unbiased input variances, v1 in the first pass and v2 in the second:

    paper   = log Delta + sum over batch norms of 0.5 log mean(v1)
    running = log Delta + sum over batch norms of 0.5 log mean(0.81 + 0.09 v1 + 0.1 v2)

Source: Zen-NAS (arXiv 2102.01063), Algorithm 1 (`paper`); `running` is what the reference
implementation's search reads, a fresh batch norm's running variance after both passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, log
from statistics import fmean, stdev
from time import perf_counter

import torch
from torch import Tensor
from torch.nn import functional

from ...errors import UserError
from ..graph import Activation, BatchNorm, Conv, GlobalAveragePool, Graph
from ..network import Network
from .base import GAMMA, Reading, Score

MIN_BATCH = 2  # the variance over one value, a 1x1 map of one image, does not exist
MAX_BATCH = 65_536


@dataclass(frozen=True, slots=True)
class ZenSamples:
    """One value a repeat: both readings of the score, and the log Delta in each; seconds for all."""

    paper: tuple[float, ...]
    running: tuple[float, ...]
    log_delta: tuple[float, ...]
    seconds: float

    def score(self, reading: Reading) -> Score:
        values = self.paper if reading == "paper" else self.running
        std = stdev(values) if len(values) > 1 else None
        return Score("zen", fmean(values), std, len(values), self.seconds)


def zen_score(
    network: Network, reading: Reading = "paper", batch: int = 16, repeats: int = 1, seed: int = 0
) -> Score:
    """The Zen-Score of a network under one reading; see `zen_samples`."""
    return zen_samples(network, batch, repeats, seed).score(reading)


@torch.inference_mode()
def zen_samples(network: Network, batch: int = 16, repeats: int = 1, seed: int = 0) -> ZenSamples:
    """Every repeat's values, in fp32; the same for a seed, and more repeats continue fewer.

    Raises UserError where the passes do not fit in memory or a value is not finite.
    """
    if not MIN_BATCH <= batch <= MAX_BATCH:
        raise UserError(f"a Zen-Score takes a batch of {MIN_BATCH} to {MAX_BATCH} images, not {batch}")
    if repeats < 1:
        raise UserError(f"a Zen-Score takes 1 repeat or more, not {repeats}")
    start = perf_counter()
    trunk = network.graph().trunk()
    generator = torch.Generator().manual_seed(seed)
    try:
        values = [_one_repeat(trunk, batch, generator) for _ in range(repeats)]
    except RuntimeError as error:
        if "alloc" not in str(error) and "out of memory" not in str(error):
            raise
        raise UserError(
            f"two passes of {batch} images at {network.resolution} pixels do not fit in memory; "
            "use a smaller batch"
        ) from error
    paper, running, log_delta = zip(*values, strict=True)
    return ZenSamples(paper, running, log_delta, perf_counter() - start)


def _one_repeat(trunk: Graph, batch: int, generator: torch.Generator) -> tuple[float, float, float]:
    # The passes alternate along the batch: one convolution serves both, and seen as (batch, 2 C, H, W)
    # one batch norm keeps their statistics apart.
    images = torch.randn(batch, 2, *trunk.input_shape, generator=generator)
    images[:, 1].mul_(GAMMA).add_(images[:, 0])
    x = images.flatten(0, 1)
    paper = running = 0.0
    for op in trunk.ops:
        match op:
            case Conv():
                kernel = (op.out_channels, op.in_channels // op.groups, op.kernel, op.kernel)
                weight = torch.randn(kernel, generator=generator)
                x = functional.conv2d(x, weight, None, op.stride, op.padding, groups=op.groups)
            case BatchNorm():
                x, first, second = _batch_norm(x, batch)
                paper += 0.5 * _log(first.mean(), f"the variance at {op.name}")
                running += 0.5 * log((0.81 + 0.09 * first + 0.1 * second).mean().item())
            case Activation(function="relu"):
                x = x.relu_()
            case GlobalAveragePool():
                break
            case _:
                raise UserError(f"the Zen-Score has no rule for '{op.name}', a {type(op).__name__}")
    passes = x.view(batch, 2, *x.shape[1:])
    distance = (passes[:, 1] - passes[:, 0]).abs().sum(dim=(1, 2, 3))
    log_delta = _log(distance.mean(), "the change of the last feature map")
    return log_delta + paper, log_delta + running, log_delta


def _batch_norm(x: Tensor, batch: int) -> tuple[Tensor, Tensor, Tensor]:
    """The normalised passes, and each pass's unbiased variance a channel."""
    channels = 2 * x.shape[1]
    mean, variance = torch.zeros(channels), torch.zeros(channels)
    y = functional.batch_norm(
        x.view(batch, channels, *x.shape[2:]), mean, variance, training=True, momentum=1.0
    )
    first, second = variance.chunk(2)
    return y.view(x.shape), first, second


def _log(value: Tensor, what: str) -> float:
    number = value.item()
    if not (isfinite(number) and number > 0):
        raise UserError(
            f"the network has no Zen-Score: {what} is {number:g}, which has no logarithm; "
            "use a larger batch or resolution"
        )
    return log(number)
