"""Corrected: any table's predictions, corrected by a few whole networks that were measured just now.

A search asks for networks that lie together, at the edge of its budget, where the table errs in its favour.
Some of them measured tell how it errs there. Their errors, each in units of the deviation that was stated of
it, are taken for one draw of a Gaussian process (Rasmussen and Williams 2006, eq. 2.25 and 2.26): half of its
variance is common to all networks, most of the rest to networks of like depth, time a unit and weights, and a
little is a network's own. So far from what was measured only the common half is corrected, and most of the
stated deviation stays. Where the errors are larger than stated, all deviations grow (inverse gamma, as if
PRIOR_NETWORKS had said that the stated ones are right).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from math import exp, sqrt

import numpy as np

from ..zen.graph_network import AnyNetwork
from ..zen.latency import Estimate, Part
from ..zen.network import Network
from ..zen.workload import Workload
from .measured.calibrated_region import Place, SquaredDistances, place
from .measured.network_calibration import cut_terms
from .op_features import Vector
from .predictor import Predictor
from .table import LatencyTable

COMMON, ALONE = 0.5, 0.2
"""Of the variance of an error: what all networks share, and what is a network's own."""
LOAD_STD = 0.012
"""Relative deviation of one load of a network from another, on a shared virtual machine."""
PRIOR_NETWORKS = 6
_TERMS = 3
_LEAST_STD = 0.02
"""A smaller stated deviation would not let measurements correct anything."""


class Corrected:
    """A predictor like the given one, its errors on these networks learned; of one at least, in ms."""

    def __init__(self, model: Predictor, truths_ms: Mapping[Network, float]) -> None:
        self._model = model
        self.table: LatencyTable = model.table
        self.device, self.setting = model.device, model.setting
        self.networks = len(truths_ms)
        wholes = [self._whole(network) for network in truths_ms]
        estimates = [self._inner(whole, network) for whole, network in zip(wholes, truths_ms, strict=True)]
        stds = np.array([_relative_std(one) for one in estimates])
        errors = np.log([ms / one.ms for ms, one in zip(truths_ms.values(), estimates, strict=True)]) / stds
        places = [_place(one) for one in wholes]
        self._distances = SquaredDistances(places)
        covariance = np.array([self._likeness(one) for one in places]) + np.diag(
            ALONE + (LOAD_STD / stds) ** 2
        )
        self._inverse = np.linalg.inv(covariance)
        self._weights: Vector = self._inverse @ errors
        misfit = float(errors @ self._weights)
        self._stretch = sqrt(max(1.0, (PRIOR_NETWORKS + misfit) / (PRIOR_NETWORKS + len(stds))))

    def block(self, workload: Workload) -> Part:
        ms, variance, measured_ms, extras = self._model.block(workload)
        return Part(ms, variance, measured_ms, (*extras, *cut_terms(workload)))

    def total(self, whole: Part, network: Callable[[], AnyNetwork]) -> Estimate:
        inner = self._model.total(_without_terms(whole), network)
        std = _relative_std(inner)
        likeness = self._likeness(_place(whole))
        known = float(likeness @ self._inverse @ likeness)
        ms = inner.ms * exp(std * float(likeness @ self._weights))
        return inner._replace(ms=ms, std_ms=ms * std * self._stretch * sqrt(max(1.0 - known, ALONE)))

    def estimate(self, network: AnyNetwork) -> Estimate:
        return self.total(self._whole(network), lambda: network)

    def units_ms(self, network: AnyNetwork) -> dict[Workload, float]:
        return self._model.units_ms(network)

    @property
    def notice(self) -> str | None:
        return self._model.notice

    @cached_property
    def summary(self) -> str:
        return f"{self._model.summary}; corrected by {self.networks} networks measured in the search"

    def _whole(self, network: AnyNetwork) -> Part:
        return Part.sum([self.block(workload) for workload in network.workloads()])

    def _inner(self, whole: Part, network: AnyNetwork) -> Estimate:
        return self._model.total(_without_terms(whole), lambda: network)

    def _likeness(self, where: Place) -> Vector:
        """Covariance with the networks that were measured, without what each has alone."""
        found: Vector = COMMON + (1 - COMMON - ALONE) * np.exp(-0.5 * self._distances.to(where))
        return found


def _relative_std(estimate: Estimate) -> float:
    return max(estimate.std_ms / estimate.ms, _LEAST_STD)


def _without_terms(whole: Part) -> Part:
    return whole._replace(extras=whole.extras[:-_TERMS])


def _place(whole: Part) -> Place:
    units, _, weights_mb = whole.extras[-_TERMS:]
    return place(whole.ms, units, weights_mb)
