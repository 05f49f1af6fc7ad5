"""Workload: a unit at one input size, what a device times."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ..errors import NetworkError
from .graph import INPUT, Graph
from .graph_builder import GraphBuilder
from .units import unit_from_text
from .units.base import Unit


@dataclass(frozen=True, slots=True)
class Workload:
    """One unit at one input size (height = width): what is timed, stored and predicted.

    `str()` gives its key, which `parse` reads back.
    """

    unit: Unit
    size: int

    def __str__(self) -> str:
        return f"{self.unit}@{self.size}"

    @property
    def label(self) -> str:
        return f"{self.unit.label} at {self.size}"

    @property
    def output_size(self) -> int:
        return self.unit.output_size(self.size)

    def graph(self) -> Graph:
        return _workload_graph(self)

    @staticmethod
    def parse(key: str) -> Workload:
        """The workload that a key names; raises NetworkError on any other text."""
        match = re.fullmatch(r"([^@]*)@([1-9]\d{0,8})", key, re.ASCII)
        if match is None:
            raise NetworkError(f"'{key}' is not the key of a workload")
        size = int(match[2])
        return Workload(unit_from_text(match[1], size), size)


# Small: the readers of a new workload (cost, score, latency) come one after the other.
@lru_cache(maxsize=1024)
def _workload_graph(workload: Workload) -> Graph:
    builder = GraphBuilder((workload.unit.in_channels, workload.size, workload.size))
    workload.unit.lower(builder, INPUT)
    return builder.graph()
