"""Blocks, a tiny network and graphs that several tests of TFLite files export."""

from collections.abc import Callable

from toys import STRIDED
from zenbench.zen.graph import GraphBuilder
from zenbench.zen.network import parse_text

BLOCKS = [
    *(f"SuperResK{k}K{k}(8,16,{s},8,2)" for k in (3, 5, 7) for s in (1, 2)),
    *(f"SuperResK1K{k}K1(8,16,{s},8,1)" for k in (3, 5, 7) for s in (1, 2)),
    *(f"SuperResIDWE{e}K{k}(8,24,2,16,1)" for e in (1, 2, 4, 6) for k in (3, 5, 7)),
    *(f"SuperConvK{k}BNRELU(8,16,2,2)" for k in (1, 3, 5, 7)),
]
TINY = parse_text(STRIDED, 16, 10)


def build(make: Callable[[GraphBuilder], str], size: int = 8, channels: int = 3) -> GraphBuilder:
    builder = GraphBuilder((channels, size, size))
    make(builder)
    return builder
