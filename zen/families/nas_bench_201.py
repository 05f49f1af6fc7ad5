"""The networks of NAS-Bench-201, each named by the string of its cell.

Source: NAS-Bench-201 (arXiv 2001.00326), section 2.1: a stem of 16 channels, three stages of five equal
cells with 16, 32 and 64 channels, a reduction block between two stages.
"""

from __future__ import annotations

import re

from ...errors import NetworkError
from ..network import IMAGE_CHANNELS, Network
from ..units.base import Unit
from ..units.cell import CELL_EDGES, CellReductionUnit, CellStemUnit, CellUnit
from ..units.dense import NormUnit

CELL_PREFIX = "|"
"""What a cell string begins with, and no other text that names a network."""

_CHANNELS = (16, 32, 64)
STAGES = len(_CHANNELS)
CELLS_A_STAGE = 5
_FORM = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"
_PATTERN = re.compile(re.escape(_FORM).replace("op", r"(\w+)"), re.ASCII)


def cell_network(text: str, resolution: int = 32, classes: int = 10) -> Network:
    """The network whose cells are `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`; raises NetworkError on any other
    text, and for a cell whose output does not depend on its input.

    A cell that only hands its input on adds nothing to the network and is left out of it.
    """
    ops = cell_ops(text)
    if ops is None:
        raise NetworkError(f"'{text.strip()}' is no cell of NAS-Bench-201, which reads {_FORM}")
    blocks: list[Unit] = [CellStemUnit(IMAGE_CHANNELS, _CHANNELS[0])]
    for stage, channels in enumerate(_CHANNELS):
        if stage:
            blocks.append(CellReductionUnit(_CHANNELS[stage - 1], channels))
        blocks += [CellUnit(".".join(ops), channels)] * CELLS_A_STAGE
    blocks.append(NormUnit(_CHANNELS[-1]))
    kept = [block for block in blocks if not (isinstance(block, CellUnit) and block.is_identity)]
    return Network(tuple(kept), resolution, classes, name=cell_text(ops))


def cell_ops(text: str) -> tuple[str, ...] | None:
    """The six operations that a cell's string names, in the order of CELL_EDGES; None for any other text."""
    match = _PATTERN.fullmatch("".join(text.split()))
    return None if match is None else match.groups()


def cell_text(ops: tuple[str, ...]) -> str:
    """The string of a cell, from its six operations in the order of CELL_EDGES."""
    nodes: dict[int, list[str]] = {}
    for (source, target), op in zip(CELL_EDGES, ops, strict=True):
        nodes.setdefault(target, []).append(f"{op}~{source}")
    return "+".join(f"|{'|'.join(named)}|" for named in nodes.values())
