"""Someone else's TFLite file -> Graph."""

from __future__ import annotations

from pathlib import Path

from ....errors import UserError
from ....zen.graph import Graph
from ....zen.importing.read_graph import ReadGraph
from .parsing import parse_tflite
from .priced import PricedTfliteReader
from .reader import TfliteReader


def graph_of_tflite(
    source: Path | bytes, shape: tuple[int, ...] | None = None, prices: bool = False
) -> Graph:
    """The graph alone of what `read_tflite` reads."""
    return read_tflite(source, shape, prices).graph


def read_tflite(
    source: Path | bytes, shape: tuple[int, ...] | None = None, prices: bool = False
) -> ReadGraph:
    """The graph that a file, or its bytes, computes for one image; of an int8 file the one that it quantises.

    `shape`: of one image as the file has it, where it leaves some of it free. Weights are what the stored
    numbers stand for. Raises NetworkError where an operator has no counterpart, a shape is not fixed, or the
    file is damaged. With `prices`, what has no counterpart has its price instead, whatever the outputs.
    """
    stored = parse_tflite(source if isinstance(source, bytes) else _bytes_of(source))
    if prices:
        return PricedTfliteReader(stored, shape).read()
    return TfliteReader(stored, shape).read()


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
