"""ReadGraph: what was read from elsewhere, a graph and the way to its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ...errors import NetworkError
from ..graph import Graph

if TYPE_CHECKING:  # a worker of a search knows this class, and loads nothing heavy
    import numpy as np
    from numpy.typing import NDArray

WeightSource: TypeAlias = "Callable[[], NDArray[np.generic]]"
"""Makes the values of one weight, so that none is copied before somebody asks."""


@dataclass(frozen=True, eq=False)
class ReadGraph:
    """A graph with the sources of its weights, by the names that its torch module gives them
    (`conv1.weight`, `bn1.running_mean`)."""

    graph: Graph
    sources: Mapping[str, WeightSource]

    def state(self) -> dict[str, NDArray[np.float32]]:
        """The weights in the shapes of the graph's module; NetworkError where some are missing or of
        another size."""
        import numpy as np

        from ..module import state_shapes

        found = {}
        for name, shape in state_shapes(self.graph).items():
            if name not in self.sources:
                raise NetworkError(f"the weights hold no '{name}'; save the network with its weights")
            values = np.asarray(self.sources[name]()).astype(np.float32)
            if values.size != np.prod(shape, dtype=int):
                raise NetworkError(f"'{name}' holds {values.size} values for the shape {shape}")
            found[name] = np.ascontiguousarray(values.reshape(shape))
        return found
