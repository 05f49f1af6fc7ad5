"""Whether a pass fits in memory, asked before the system has to kill it."""

from __future__ import annotations

from math import prod
from pathlib import Path

from ...errors import UserError
from ..cost import BYTES_PER_VALUE, graph_cost
from ..graph import Graph

_MEMINFO = Path("/proc/meminfo")
_HEADROOM = 1.5
"""Runtimes keep working copies: reordered tensors, and the map being written beside those read."""


def weight_bytes(graph: Graph) -> int:
    """What all weights hold."""
    return BYTES_PER_VALUE * graph_cost(graph).params


def pass_bytes(graph: Graph) -> int:
    """What one image holds at the fullest moment of a pass."""
    return graph_cost(graph).peak_activation_bytes


def gradient_bytes(graph: Graph) -> int:
    """What one image holds until its gradient is taken: every map."""
    return BYTES_PER_VALUE * sum(prod(op.shape) for op in graph.ops)


def check_memory(proxy: str, batch: int, image_bytes: int, fixed_bytes: int = 0) -> None:
    """Raises UserError, naming the batch that fits, where so many images do not."""
    free = _free_bytes()
    if free is None:
        return
    needed = _HEADROOM * batch * image_bytes + fixed_bytes
    if needed <= free:
        return
    fitting = int((free - fixed_bytes) / (_HEADROOM * image_bytes))
    smaller = "a smaller resolution" if fixed_bytes < free / 2 else "a narrower network"
    advice = f"a batch of {fitting} or less" if fitting >= 2 else smaller
    raise UserError(
        f"{proxy} of {batch} images needs about {needed / 1e9:.3g} GB of memory and {free / 1e9:.3g} GB are "
        f"free; use {advice}"
    )


def _free_bytes() -> int | None:
    """Memory that a process can still have, where the system tells."""
    try:
        lines = _MEMINFO.read_text("ascii").splitlines()
    except OSError:
        return None
    found = next((line for line in lines if line.startswith("MemAvailable:")), None)
    return int(found.split()[1]) * 1024 if found else None
