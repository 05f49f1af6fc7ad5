"""Units by kind, and the text that names one."""

from __future__ import annotations

import re

from ...errors import NetworkError
from .base import Unit, parse_unit
from .cell import CellReductionUnit, CellStemUnit, CellUnit
from .dense import DenseTransitionUnit, DenseUnit, NormUnit
from .mobile import InvertedUnit
from .piece import PieceUnit
from .plain import ConvUnit, HeadUnit, ResidualUnit
from .pools import MaxPoolUnit, PooledConvUnit
from .resnet import ResNetUnit
from .split_attention import SplitAttentionUnit
from .tinynas import TinyNasUnit

UNIT_KINDS: dict[str, type[Unit]] = {
    unit.kind: unit
    for unit in (
        ConvUnit,
        ResidualUnit,
        HeadUnit,
        ResNetUnit,
        InvertedUnit,
        MaxPoolUnit,
        PooledConvUnit,
        DenseUnit,
        DenseTransitionUnit,
        NormUnit,
        SplitAttentionUnit,
        TinyNasUnit,
        CellStemUnit,
        CellUnit,
        CellReductionUnit,
        PieceUnit,
    )
}


def unit_from_text(text: str, size: int | None = None) -> Unit:
    """The unit that `kind(field=value,...)` names, on a map of that size where one is known; raises
    NetworkError on any other text."""
    match = re.fullmatch(r"(\w+)\(([\w=,.:;/+-]*)\)", text, re.ASCII)
    unit_type = UNIT_KINDS.get(match[1]) if match else None
    if match is None or unit_type is None:
        raise NetworkError(f"'{text}' is no unit; known are {', '.join(UNIT_KINDS)}")
    return parse_unit(unit_type, match[2], text, size)
