"""Activation ranges: the range of every tensor of a graph, seen on a few images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...zen.graph import INPUT, Graph
from ...zen.threads import few_threads
from .tflite_quantise import gaussian_batches
from .weights import Array

_IMAGES = 8
_CLIPPED = 1e-4
"""Share of the values that may lie outside the range. Taking the largest value instead costs 0.1 to 1.3 dB:
see docs/gpu.md."""


def ranges(graph: Graph, state: Mapping[str, Array], batches: Sequence[Array] = ()) -> dict[str, float]:
    """Tensor -> the magnitude that all but a few of its values stay below on batches of shape (N, C, H, W)
    or, without any, on Gaussian images; always above 0."""
    import torch

    from ...zen.module import build_module

    module = build_module(graph)
    module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in state.items()})
    found: dict[str, float] = {}

    def see(name: str, tensor: Any) -> None:
        values = tensor.abs().flatten()
        reached = values.topk(max(1, round(_CLIPPED * len(values)))).values[-1]
        found[name] = max(found.get(name, 0.0), float(reached))

    for op in graph.ops:
        module.get_submodule(op.name).register_forward_hook(
            lambda layer, inputs, output, name=op.name: see(name, output)
        )
    with torch.no_grad(), few_threads():
        for batch in batches or gaussian_batches((_IMAGES, *graph.input_shape), 1):
            x = torch.from_numpy(batch)
            see(INPUT, x)
            module(x)
    return {name: reached or 1.0 for name, reached in found.items()}
