"""What the random proxies share: repeats under one seed, N(0,1) weights, and a look inside a pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isfinite
from statistics import fmean, stdev
from time import perf_counter

import torch
from torch import Tensor, nn

from ...errors import UserError
from ..graph import Op
from ..module import GraphModule
from .base import Score

MIN_BATCH = 2  # batch norm has no variance over one value, a 1x1 map of one image
MAX_BATCH = 65_536


def check_batch(proxy: str, batch: int) -> None:
    """Raises UserError for a batch that a proxy which draws images cannot take."""
    if not MIN_BATCH <= batch <= MAX_BATCH:
        raise UserError(f"{proxy} takes a batch of {MIN_BATCH} to {MAX_BATCH} images, not {batch}")


def check_repeats(proxy: str, repeats: int) -> None:
    """Raises UserError where there is no repeat."""
    if repeats < 1:
        raise UserError(f"{proxy} takes 1 repeat or more, not {repeats}")


def sampled(proxy: str, one_repeat: Callable[[torch.Generator], float], repeats: int, seed: int) -> Score:
    """The score of a proxy from one value a repeat, all from one generator: more repeats continue fewer.

    Raises UserError where there is no repeat, or one does not fit in memory or has no finite value.
    """
    check_repeats(proxy, repeats)
    start = perf_counter()
    generator = torch.Generator().manual_seed(seed)
    try:
        values = [_finite(proxy, one_repeat(generator)) for _ in range(repeats)]
    except RuntimeError as error:
        if "alloc" not in str(error) and "out of memory" not in str(error):
            raise
        raise UserError(f"{proxy} does not fit in memory; use a smaller batch or resolution") from error
    std = stdev(values) if repeats > 1 else None
    return Score(proxy, fmean(values), std, repeats, perf_counter() - start)


def weighted_layers(module: GraphModule) -> Iterator[nn.Conv2d | nn.Linear]:
    """The convolutions and linear layers, in the graph's order."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            yield layer


@torch.no_grad()
def draw_normal(module: GraphModule, generator: torch.Generator) -> None:
    """Sets every weight to N(0,1); biases and batch norms stay as they are."""
    for layer in weighted_layers(module):
        layer.weight.normal_(generator=generator)


def watch(module: GraphModule, kind: type[Op], look: Callable[[Tensor], None]) -> None:
    """Shows `look` the first input of every operation of a kind in each pass to come.

    Raises UserError where the graph has no such operation.
    """
    seen = [module.get_submodule(op.name) for op in module.graph.ops if isinstance(op, kind)]
    if not seen:
        raise UserError(f"the network has no {kind.__name__}, which this proxy looks at; use another proxy")
    for layer in seen:
        layer.register_forward_pre_hook(lambda _layer, inputs: look(inputs[0]))


def _finite(proxy: str, value: float) -> float:
    if not isfinite(value):
        raise UserError(f"the network has no {proxy} score: its numbers overflow; use another proxy")
    return value
