"""Figure: one drawing with what stands around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .style import Chart, Palette


@dataclass(frozen=True)
class Key:
    """An entry of a figure's legend: a role of the palette, a mark's shape, its meaning."""

    role: str
    shape: str
    text: str


@dataclass(frozen=True)
class Figure:
    """One figure; `name` is its file's, `title` stands above it and `text` tells how to read it."""

    name: str
    title: str
    text: str
    keys: tuple[Key, ...]
    draw: Callable[[Palette], Chart]
