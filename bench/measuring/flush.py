"""What goes through the caches between two runs of a unit, so that it runs as in a large network.

A network has used every cache for other things by the time that a unit's turn comes again; a unit timed
alone, over and over, finds its weights in the nearest one. A convolution of 1x1 maps reads each of its
weights once and does nothing else for long.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...devices.base import Artifact, Setting
from ...zen.graph import INPUT, Graph
from ...zen.graph_builder import GraphBuilder
from .subjects import written

_BYTES_PER_WEIGHT = 4
_LAYERS = 2


def flush_graph(megabytes: float) -> Graph:
    """A graph with fp32 weights of about so many megabytes."""
    width = max(1, round((megabytes * 2**20 / _BYTES_PER_WEIGHT / _LAYERS) ** 0.5))
    builder = GraphBuilder((width, 1, 1))
    x = INPUT
    for _ in range(_LAYERS):
        x = builder.conv(x, width, 1, bias=True)
    return builder.graph()


def flush_artifact(megabytes: float, folder: Path, setting: Setting, file_format: str) -> Artifact:
    """The file of a flush; in fp32 whatever the setting's precision, so that its size is known."""
    plain = replace(setting, precision="fp32", batch=1)
    return written(flush_graph(megabytes), folder, "flush", plain, file_format)
