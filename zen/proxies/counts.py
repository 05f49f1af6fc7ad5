"""flops, params and random: the baselines that every proxy has to beat."""

from __future__ import annotations

from hashlib import sha256
from random import Random
from statistics import fmean, stdev
from time import perf_counter

from ...errors import UserError
from ..cost import graph_cost
from ..graph import Graph
from .base import Score


def flops(graph: Graph, batch: int = 16, repeats: int = 1, seed: int = 0) -> Score:
    """Multiply-accumulates of one image, which is what the Zen-NAS paper counts as FLOPs; exact."""
    start = perf_counter()
    return Score("flops", float(graph_cost(graph).macs), 0.0, 1, perf_counter() - start)


def params(graph: Graph, batch: int = 16, repeats: int = 1, seed: int = 0) -> Score:
    """Trainable parameters; exact."""
    start = perf_counter()
    return Score("params", float(graph_cost(graph).params), 0.0, 1, perf_counter() - start)


def random(graph: Graph, batch: int = 16, repeats: int = 1, seed: int = 0) -> Score:
    """An N(0,1) number that follows from the graph and the seed alone, in any process."""
    if repeats < 1:
        raise UserError(f"random takes 1 repeat or more, not {repeats}")
    start = perf_counter()
    digest = sha256(f"{seed} {graph!r}".encode()).digest()
    generator = Random(int.from_bytes(digest, "big"))
    values = [generator.gauss(0, 1) for _ in range(repeats)]
    std = stdev(values) if repeats > 1 else None
    return Score("random", fmean(values), std, repeats, perf_counter() - start)
