"""torch.export files (.pt2) written from the graph: what `torch.export.load` reads without our code.

Batch norm stays a layer of its own, as PyTorch's users run it, and every tensor is in the precision of the
file. The input is traced as it will lie in memory, (N, H, W, C) or "channels last", because that decides how
flattening is exported; weights are stored plainly and laid out by whoever loads them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
import torch

from ...atomic import write_bytes
from ...devices.base import Artifact, TensorSpec
from ...zen.graph import INPUT, Graph
from ...zen.module import build_module
from ...zen.threads import few_threads
from .weights import Array

_TYPES = {"fp32": torch.float32, "fp16": torch.float16}


def write_torch_export(
    graph: Graph, state: Mapping[str, Array], path: Path, batch: int = 1, precision: str = "fp32"
) -> Artifact:
    """A file of the graph at a fixed batch, fp32 or fp16; `state` holds torch's names."""
    dtype = _TYPES[precision]
    module = build_module(graph)
    module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in state.items()})
    module = module.to(dtype)
    shape = (batch, *graph.input_shape)
    example = torch.empty(shape, dtype=dtype).to(memory_format=torch.channels_last)
    with few_threads():
        program = torch.export.export(module, (example,))
    program.example_inputs = None  # as large as the batch, and nobody reads them
    file = BytesIO()
    torch.export.save(program, file)
    data = file.getvalue()
    write_bytes(path, data)
    spec = TensorSpec(INPUT, shape, str(dtype).removeprefix("torch."))
    return Artifact("torch-export", path, hashlib.sha256(data).hexdigest(), (spec,), batch, precision)
