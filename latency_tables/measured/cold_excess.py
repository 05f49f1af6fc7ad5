"""ColdExcess: how much longer a unit takes where the caches hold other data than its own.

Four rates, by non-negative least squares on the rows that were also measured cold: an operation, whose
code and buffers have to be found again; a megabyte of the weights that are used, and of those that only
padding would use; and a megabyte of activations. Weights that the last cache cannot keep come from memory
warm or cold, so they count less the more of it they fill. The process of the fill-in is not asked: the
excess is a few per cent of most networks.

Tried on 2,519 to 2,860 rows of a host (ONNX Runtime, one thread), errors over the sum of cold latencies:
without the cache and with one rate for all weights 7.9 %, this 6.1 %; further rates for small and large
weights 5.9 %.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import nnls

from ...zen.workload import Workload
from ..op_features import ROOFLINE, OpFeatures, Vector, workload_features
from ..row import Row

_ACTIVATIONS, _USED, _ALL = (
    ROOFLINE.index(name)
    for name in ("100 kB of activations", "100 kB of weights", "100 kB of weights, padding's too")
)
_KEPT = 0.25
"""Weights that fill this share of the last cache are not found there again."""


class ColdExcess:
    """The learned excess of a unit, in ms."""

    def __init__(self, workloads: Sequence[Workload], rows: Sequence[Row], cache_mb: float) -> None:
        """Learns from the rows that have it; zero where there is none. `cache_mb`: the last cache."""
        known = [(workload, row) for workload, row in zip(workloads, rows, strict=True) if row.cold_ms]
        self._kept_mb = _KEPT * cache_mb
        self._rates: Vector = np.zeros(4)
        if known:
            work = np.array([self._work(workload) for workload, _ in known])
            cold = np.array([row.cold_ms for _, row in known])
            warm = np.array([row.latency_ms for _, row in known])
            # Between relative errors, which small units decide, and absolute ones, which large ones do.
            scale = np.sqrt(cold)
            self._rates, _ = nnls(work / scale[:, None], (cold - warm) / scale)

    def predict(self, workload: Workload) -> float:
        return float(self._work(workload) @ self._rates)

    def _work(self, workload: Workload) -> Vector:
        work: Vector = np.sum([self._of(op) for op in workload_features(workload)], axis=0)
        return work

    def _of(self, op: OpFeatures) -> tuple[float, ...]:
        """One operation; used weights, the others and activations in MB."""
        used = op.work[_USED] / 10
        others = max(op.work[_ALL] / 10 - used, 0.0)
        kept = max(0.0, 1 - used / self._kept_mb)
        return 1.0, kept * used, kept * others, op.work[_ACTIVATIONS] / 10
