"""The values of a traced module's weights, which it holds or computes from what it holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

from ...errors import NetworkError
from .read_graph import WeightSource


class TracedValues:
    """Finds the real values behind tensors on the meta device.

    The nodes of `traced` have their value there in `node.meta["value"]`; `held` gives the real ones of the
    weights, by the identity of those.
    """

    def __init__(self, traced: fx.Graph, held: Mapping[int, Callable[[], Tensor]]) -> None:
        self._held = held
        self._nodes = {id(node.meta.get("value")): node for node in traced.nodes}

    def source_of(self, weight: Tensor) -> WeightSource:
        def values() -> NDArray[np.generic]:
            with torch.no_grad():
                found: NDArray[np.generic] = self._real(weight).detach().float().cpu().numpy()
            return found

        return values

    def _real(self, value: Any) -> Any:
        """What stands behind a value of the copy: held, or computed by the nodes that gave it."""
        if not isinstance(value, Tensor):
            return value
        if id(value) in self._held:
            return self._held[id(value)]()
        if not value.is_meta:
            return value
        node = self._nodes.get(id(value))
        if node is None or node.op not in ("call_function", "call_method"):
            raise NetworkError(
                f"a weight of {tuple(value.shape)} is computed by what cannot be run alone; "
                "keep it as an nn.Parameter"
            )
        args, kwargs = fx.map_arg((node.args, node.kwargs), lambda one: self._real(one.meta["value"]))
        if node.op == "call_function" and callable(node.target):
            return node.target(*args, **kwargs)
        return getattr(args[0], str(node.target))(*args[1:], **kwargs)
