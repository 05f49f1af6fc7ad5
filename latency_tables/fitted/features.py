"""What a whole network's latency is explained by, unit by unit: one set of features a space.

Features add up over units, so a fit to whole networks predicts every unit. The first of them carry a
network's latency and cannot be negative: so much work of a kind. The rest are corrections: where in a cell
or at which size the work is done, and how operations of one cell meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...errors import TableError
from ...zen.graph_network import AnyNetwork
from ...zen.space import spaces
from ...zen.workload import Workload
from .cell_features import CELL_READINGS, CellFeatures
from .graph_features import GraphFeatures

ANY = "any"
SPACES = (CellFeatures.space, *spaces(), ANY)


class WholeFeatures(Protocol):
    """The features of one space's units; `names` of all, of which the first `carriers` carry the latency."""

    @property
    def space(self) -> str: ...

    @property
    def reading(self) -> str:
        """What of a network is taken to run; one of `readings_of` the space."""
        ...

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def carriers(self) -> int: ...

    def check(self, network: AnyNetwork) -> None:
        """Raises TableError where a network is none of this space."""
        ...

    def unit(self, workload: Workload) -> Sequence[float]:
        """One value a name; raises TableError where a unit is none of this space."""
        ...

    def beside(self, network: AnyNetwork) -> Sequence[float] | None:
        """What a network runs beside its units, one value a name; None for nothing."""
        ...


def readings_of(space: str) -> tuple[WholeFeatures, ...]:
    """The features of a space by its name, once for each reading of what runs."""
    if space == CellFeatures.space:
        return tuple(CellFeatures(reading) for reading in CELL_READINGS)
    if space in spaces():
        return (GraphFeatures(space, spaces()[space].kinds),)
    if space == ANY:
        return (GraphFeatures(space, None),)
    raise TableError(f"no space is called '{space}'; known are {', '.join(SPACES)}")
