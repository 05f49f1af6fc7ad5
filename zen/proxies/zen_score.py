"""zen: the Zen-Score by forward passes, as the paper defines it, in both of its readings.

Every repeat draws N(0,1) convolution weights and N(0,1) images x and e, and sends x and x + GAMMA e
through the trunk (no shortcuts, no gates) with batch norm in training mode, weight 1 and bias 0.
Delta is the batch mean of the L1 distance of the two last feature maps before pooling, and v a batch
norm's unbiased input variances, v1 in the first pass and v2 in the second:

    paper   = log Delta + sum over batch norms of 0.5 log mean(v1)
    running = log Delta + sum over batch norms of 0.5 log mean(0.81 + 0.09 v1 + 0.1 v2)

Source: Zen-NAS (arXiv 2102.01063), Algorithm 1 (`paper`); `running` is what the reference
implementation's search reads, a fresh batch norm's running variance after both passes.

All maps lie channels last, which makes batch norm on a CPU four times and 1x1 convolutions up to twice as
fast; batch norm and ReLU overwrite what they read; and the two passes go layer by layer through the same
weights, each in a tensor of its own: one tensor for both falls out of the cache (see
benchmarks/zen/forward_passes.py).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import isfinite, log, prod
from statistics import fmean, stdev
from time import perf_counter

import torch
from torch import Tensor
from torch.nn import functional

from ...errors import UserError
from ..cost import BYTES_PER_VALUE
from ..graph import EPSILON, INPUT, Activation, BatchNorm, Conv, GlobalAveragePool, Graph, Linear, Operation
from ..layers import make_layer, padded
from ..threads import few_threads
from .base import GAMMA, Reading, Score
from .memory import check_memory, pass_bytes
from .sampling import check_batch, check_repeats


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
    graph: Graph, batch: int = 16, repeats: int = 1, seed: int = 0, reading: Reading = "paper"
) -> Score:
    """The Zen-Score of a graph under one reading; see `zen_samples`."""
    return zen_samples(graph, batch, repeats, seed).score(reading)


@few_threads()
@torch.inference_mode()
def zen_samples(graph: Graph, batch: int = 16, repeats: int = 1, seed: int = 0) -> ZenSamples:
    """Every repeat's values, in fp32, on the GPU where torch finds one.

    On one device they are the same for a seed, and more repeats continue fewer. Raises UserError where
    the passes do not fit in memory or a value is not finite.
    """
    check_batch("zen", batch)
    check_repeats("zen", repeats)
    start = perf_counter()
    trunk = graph.trunk()
    if not any(isinstance(op, BatchNorm) for op in trunk.ops):
        raise UserError(
            "the network has no Zen-Score: it has no batch norm (a file for inference has it folded into "
            "its convolutions); use --proxy phi, or give the network as it is trained"
        )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        heaviest = max(prod(_kernel(op)) for op in trunk.ops if isinstance(op, Conv))
        check_memory("zen", batch, 2 * pass_bytes(trunk), 2 * BYTES_PER_VALUE * heaviest)
    generator = torch.Generator(device).manual_seed(seed)
    try:
        values = [_Passes(trunk, batch, generator).run() for _ in range(repeats)]
    except RuntimeError as error:
        if "alloc" not in str(error) and "out of memory" not in str(error):
            raise
        raise UserError(
            f"two passes of {batch} images at {graph.input_shape[1]} pixels do not fit in memory; "
            "use a smaller batch"
        ) from error
    paper, running, log_delta = zip(*values, strict=True)
    return ZenSamples(paper, running, log_delta, perf_counter() - start)


_HEAVY = 4
"""Weights an input value, from which on a convolution is bound by its weights."""

PassPair = tuple[Tensor, Tensor]
"""What the first and the second pass hold at one place."""


class _Passes:
    """The two passes of one repeat."""

    def __init__(self, trunk: Graph, batch: int, generator: torch.Generator) -> None:
        self.trunk, self.batch, self.generator = trunk, batch, generator
        self.paper = self.running = 0.0
        self._readers = Counter(name for op in trunk.ops for name in op.inputs)
        self._fresh: set[str] = set()

    def run(self) -> tuple[float, float, float]:
        """Both readings and log Delta."""
        first, change = (self._normal(self.batch, *self.trunk.input_shape) for _ in range(2))
        features: PassPair = (first, change.mul_(GAMMA).add_(first))
        tensors = {INPUT: features}
        last_use = {name: op.name for op in self.trunk.ops for name in op.inputs}
        for op in self.trunk.ops:
            if isinstance(op, GlobalAveragePool | Linear):
                break
            features = self._apply(op, [tensors[name] for name in op.inputs])
            tensors[op.name] = features
            for name in op.inputs:
                if last_use[name] == op.name:
                    tensors.pop(name, None)
        distance = (features[1] - features[0]).abs_().sum(dim=(1, 2, 3))
        log_delta = _log(distance.mean(), "the change of the last feature map")
        return log_delta + self.paper, log_delta + self.running, log_delta

    def _apply(self, op: Operation, inputs: list[PassPair]) -> PassPair:
        # What a convolution or batch norm has just written and nothing else reads may be overwritten.
        overwrite = op.inputs[0] in self._fresh and self._readers[op.inputs[0]] == 1
        if isinstance(op, Conv | BatchNorm):
            self._fresh.add(op.name)
        first, second = inputs[0]
        match op:
            case Conv():
                return self._convolution(op, first, second)
            case BatchNorm():
                return self._batch_norm(op, inputs[0], overwrite)
            case Activation(function="relu") if overwrite:
                return first.relu_(), second.relu_()
            case _:
                layer = make_layer(op).to(first.device)  # with what weights it has as they begin
                return layer(*(pair[0] for pair in inputs)), layer(*(pair[1] for pair in inputs))

    def _convolution(self, op: Conv, first: Tensor, second: Tensor) -> PassPair:
        kernel = _kernel(op)
        top, left, bottom, right = op.padding
        if (top, left) != (bottom, right):
            first, second = padded(first, op.padding), padded(second, op.padding)
            top = left = 0
        rest = (None, op.stride, (top, left), op.dilation, op.groups)
        if prod(kernel) > _HEAVY * first.numel():
            # Reading the weights is the work: read them once, in the layout that needs no reordering.
            weight = torch.randn(kernel, generator=self.generator, device=first.device)
            both = torch.cat((first, second)).contiguous()
            one, other = functional.conv2d(both, weight, *rest).chunk(2)
            return one, other
        weight = self._normal(*kernel)
        return functional.conv2d(first, weight, *rest), functional.conv2d(second, weight, *rest)

    def _batch_norm(self, op: BatchNorm, passes: PassPair, overwrite: bool) -> PassPair:
        """The normalised passes, each by its own statistics; adds to the readings."""
        written, variances = [], []
        for x in passes:
            y = x if overwrite else torch.empty_like(x)
            mean, inverse_deviation = x.new_empty(2, x.shape[1])
            torch.native_batch_norm(
                x, None, None, None, None, True, 0.0, EPSILON, out=(y, mean, inverse_deviation)
            )
            values = x[:, 0].numel()
            variances.append((inverse_deviation.double() ** -2 - EPSILON) * (values / (values - 1)))
            written.append(y)
        first, second = variances
        self.paper += 0.5 * _log(first.mean(), f"the variance at {op.name}")
        self.running += 0.5 * log((0.81 + 0.09 * first + 0.1 * second).mean().item())
        return written[0], written[1]

    def _normal(self, first: int, channels: int, height: int, width: int) -> Tensor:
        # Drawn in the order of the memory: a generator fills other layouts ten times slower.
        device = self.generator.device
        drawn = torch.randn(first, height, width, channels, generator=self.generator, device=device)
        return drawn.permute(0, 3, 1, 2)


def _kernel(op: Conv) -> tuple[int, int, int, int]:
    return op.out_channels, op.in_channels // op.groups, op.kernel, op.kernel


def _log(value: Tensor, what: str) -> float:
    number = value.item()
    if not (isfinite(number) and number > 0):
        raise UserError(
            f"the network has no Zen-Score: {what} is {number:g}, which has no logarithm; "
            "use a larger batch or resolution"
        )
    return log(number)
