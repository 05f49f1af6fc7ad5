"""Outline: a workload's operations with its widths left open, lowered once for all widths.

A search meets tens of thousands of units that differ in nothing but their widths. In their outline every
width is a mark: a number that no other comes near. What reads a graph reads the outline's as well, and
its answer for a unit is the same with the marks replaced by that unit's widths.

The marks are powers of one base whose pairwise products all differ (Kronecker's substitution), so that
a count that is a polynomial of degree two in the widths, as MACs and parameters are, can be read off
digit by digit from the count of the outline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any

from .graph import Graph
from .units.base import Unit
from .workload import Workload

_BASE_BITS = 64
"""No coefficient, and no count of a unit without open widths, comes near two to that power."""
_EXPONENTS = (1, 3, 9)
MARKS = tuple(1 << (_BASE_BITS * exponent) for exponent in _EXPONENTS)

Polynomial = tuple[tuple[int, int, int], ...]
"""Sum of coefficient times two of the values (1, widths ...), which the last two numbers index."""


@dataclass(frozen=True, eq=False)
class Outline:
    """The graph with marks for widths, or as it is where the unit has no open widths."""

    graph: Graph


def outline(workload: Workload) -> tuple[Outline, tuple[int, ...]]:
    """A workload's outline, the same object for all that share it, and the widths to put for the marks."""
    unit = workload.unit
    unit_type: Any = type(unit)
    names = unit.open_widths
    closed, widths = _getters(unit_type, names)
    return _outline(unit_type, names, closed(unit), workload.size), widths(unit)


def filling(widths: Sequence[int]) -> Mapping[int, int]:
    """What to put for every mark."""
    return dict(zip(MARKS, widths, strict=False))


def polynomial(count: int) -> Polynomial:
    """The polynomial in the widths that has this value at the marks."""
    terms, digits = [], (1 << _BASE_BITS) - 1
    for (first, second), exponent in _MONOMIALS:
        coefficient = count >> (_BASE_BITS * exponent) & digits
        if coefficient:
            terms.append((coefficient, first, second))
    return tuple(terms)


def evaluate(terms: Polynomial, values: Sequence[int]) -> int:
    """A polynomial at (1, widths ...)."""
    total = 0
    for coefficient, first, second in terms:
        total += coefficient * values[first] * values[second]
    return total


_MONOMIALS = [
    ((first, second), a + b)
    for first, a in enumerate((0, *_EXPONENTS))
    for second, b in enumerate((0, *_EXPONENTS))
    if first <= second
]


@cache
def _getters(
    unit_type: Any, open_widths: tuple[str, ...]
) -> tuple[Callable[[Unit], tuple[Any, ...]], Callable[[Unit], tuple[int, ...]]]:
    closed = [field.name for field in fields(unit_type) if field.name not in open_widths]
    return _values(closed), _values(open_widths)


def _values(names: Sequence[str]) -> Callable[[Unit], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda unit: tuple(getattr(unit, name) for name in names)


@lru_cache(maxsize=8192)
def _outline(unit_type: Any, open_widths: tuple[str, ...], closed: tuple[Any, ...], size: int) -> Outline:
    names = [field.name for field in fields(unit_type) if field.name not in open_widths]
    marks = dict(zip(open_widths, MARKS, strict=False))
    return Outline(Workload(unit_type(**dict(zip(names, closed, strict=True)), **marks), size).graph())
