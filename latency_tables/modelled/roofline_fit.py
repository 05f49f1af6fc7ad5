"""Fitting a roofline to whole networks: maximum a posteriori with a physical prior, and its honest error.

A network's latency is observed with a relative error, so its logarithm is fitted; the prior is normal on the
logarithms of the coefficients. Published tables hold single figures that no model of their neighbours would
give, so errors have the heavy tails of Student's t (iteratively reweighted; 4 degrees of freedom as in Lange,
Little and Taylor 1989, JASA 84). The covariance is Laplace's approximation at the maximum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...zen.network import Network
from ..model_statistics import Trained
from ..op_features import Vector
from .kernels import RuntimeKernel, kernels
from .machines import Demand, Machine
from .roofline import SHARPNESS

RELATIVE_ERROR = 0.1
"""Error of a network around a good model, by which observations are weighed against the prior."""
_DEGREES_OF_FREEDOM = 4
_REWEIGHTINGS = 6
_TINY = 1e-300
_LEAST_NOISE = 0.05

_Rows = NDArray[np.signedinteger[Any]]


@dataclass(frozen=True)
class Observation:
    """A network's latency for one run of the batch; `rounding_ms` is half of its last printed digit."""

    network: Network
    latency_ms: float
    rounding_ms: float = 0.0


@dataclass(frozen=True)
class Prior:
    """What is believed of the logarithms of the coefficients' times before any observation."""

    mean: Vector
    covariance: Vector


class Fit:
    """The most probable coefficients given observations, and what leaving some of them out predicts."""

    def __init__(
        self,
        machine: Machine,
        batch: int,
        prior: Prior,
        observations: Sequence[Observation],
        sharpness: float = SHARPNESS,
    ) -> None:
        self.machine, self.prior, self.observations = machine, prior, tuple(observations)
        self.observed_ms = np.array([one.latency_ms for one in observations])
        rounding = np.array([one.rounding_ms for one in observations]) / self.observed_ms
        # A rounded figure is off by anything up to half its last digit, evenly.
        self._weights = 1 / np.sqrt(RELATIVE_ERROR**2 + rounding**2 / 3)
        self._work = _Work([one.network for one in observations], machine, batch, sharpness)
        self._precision = np.linalg.inv(prior.covariance)
        self._root = np.linalg.cholesky(self._precision).T
        self._all = np.arange(len(observations))
        self.log_times = self._maximum(self._all, prior.mean)
        self.predicted_ms = self._work.latencies(self.log_times)[0]
        self.prior_ms = self._work.latencies(prior.mean)[0]

    @property
    def covariance(self) -> Vector:
        """Of the logarithms of the times."""
        return self._covariance(self._all, self.log_times)

    def left_out(self, group: Callable[[Observation], Hashable] | None = None) -> tuple[Vector, Vector]:
        """Each network predicted from the others, or from the other groups: ms, and the standard deviation
        of its logarithm that uncertain coefficients make."""
        keys = [group(one) if group else index for index, one in enumerate(self.observations)]
        predicted, spreads = np.zeros(len(keys)), np.zeros(len(keys))
        for key in dict.fromkeys(keys):
            out = np.array([one == key for one in keys])
            rest = np.flatnonzero(~out)
            times = self._maximum(rest, self.log_times)
            ms, slopes = self._work.latencies(times)
            covariance = self._covariance(rest, times)
            predicted[out] = ms[out]
            spreads[out] = np.sqrt(np.einsum("ij,jk,ik->i", slopes[out], covariance, slopes[out]))
        return predicted, spreads

    def trained_on(self, names: Sequence[str], left_out: Vector) -> tuple[Trained, ...]:
        """What a card tells of the observations."""
        figures = zip(
            names, self.observed_ms.tolist(), self.predicted_ms.tolist(), left_out.tolist(), strict=True
        )
        return tuple(Trained(*row) for row in figures)

    def _maximum(self, rows: _Rows, start: Vector) -> Vector:
        """The most probable times given these observations alone."""
        times, weights = start, self._weights[rows]
        for _ in range(_REWEIGHTINGS):
            times = self._least_squares(rows, weights, times)
            weights = self._weights[rows] * np.sqrt(self._trust(rows, times))
        return times

    def _least_squares(self, rows: _Rows, weights: Vector, start: Vector) -> Vector:
        """The times with the least weighted errors and departures from the prior, squared."""
        from scipy.optimize import least_squares

        def residuals(times: Vector) -> Vector:
            errors = weights * self._errors(times)[rows]
            return np.concatenate([errors, self._root @ (times - self.prior.mean)])

        def slopes(times: Vector) -> Vector:
            return np.concatenate([weights[:, None] * self._work.latencies(times)[1][rows], self._root])

        return np.asarray(least_squares(residuals, start, slopes, method="lm", xtol=1e-6).x)

    def _trust(self, rows: _Rows, times: Vector) -> Vector:
        """How much each observation weighs under heavy tails, one where it is as far off as expected."""
        off = self._weights[rows] * self._errors(times)[rows]
        return np.asarray((_DEGREES_OF_FREEDOM + 1) / (_DEGREES_OF_FREEDOM + off**2))

    def _errors(self, times: Vector) -> Vector:
        return np.asarray(np.log(self._work.latencies(times)[0] / self.observed_ms))

    def _covariance(self, rows: _Rows, times: Vector) -> Vector:
        slopes = self._work.latencies(times)[1][rows]
        weighted = slopes * (self._weights[rows] ** 2 * self._trust(rows, times))[:, None]
        found = np.linalg.inv(self._precision + slopes.T @ weighted)
        return np.asarray((found + found.T) / 2)


def unexplained(predicted_ms: Vector, observed_ms: Vector, spreads: Vector) -> float:
    """The relative error of a network around the model with which left-out errors are as large as expected:
    the mean square of their logarithms, less what uncertain coefficients explain of it."""
    squares = np.log(predicted_ms / observed_ms) ** 2
    return sqrt(max(float(np.mean(squares - spreads**2)), _LEAST_NOISE**2))


class _Work:
    """The demands of whole networks as arrays: latencies and slopes for any coefficients at once."""

    def __init__(self, networks: Sequence[Network], machine: Machine, batch: int, sharpness: float) -> None:
        index = {name: place for place, name in enumerate(machine.TERMS)}
        starts: list[int] = []
        repeats: list[int] = []
        demands: list[Demand] = []
        for network in networks:
            starts.append(len(demands))
            counts: Counter[RuntimeKernel] = Counter()
            for workload in network.workloads():
                counts.update(kernels(workload))
            for kernel, count in counts.items():
                repeats.append(count)
                demands.append(machine.demand(kernel, batch))
        self._starts, self._repeats = np.array(starts), np.array(repeats, dtype=float)
        self._sharpness = sharpness
        self._overlapping, self._serial = (np.zeros((len(demands), len(index))) for _ in range(2))
        for row, demand in enumerate(demands):
            for amounts, sort in ((self._overlapping, demand.overlapping), (self._serial, demand.serial)):
                for name, amount in sort.items():
                    amounts[row, index[name]] = amount
        self._kept: tuple[bytes, tuple[Vector, Vector]] | None = None

    def latencies(self, log_times: Vector) -> tuple[Vector, Vector]:
        """ms of each network, and the derivative of its logarithm by each coefficient's."""
        key = log_times.tobytes()
        if self._kept is None or self._kept[0] != key:
            self._kept = key, self._latencies(log_times)
        return self._kept[1]

    def _latencies(self, log_times: Vector) -> tuple[Vector, Vector]:
        costs = np.exp(log_times)
        overlapping, shares = self._overlapping * costs, self._serial * costs
        longest = np.maximum(overlapping.max(1), _TINY)
        powers = (overlapping / longest[:, None]) ** self._sharpness
        whole = np.maximum(powers.sum(1), _TINY)
        shares += powers * (longest * whole ** (1 / self._sharpness - 1))[:, None]
        shares *= self._repeats[:, None]
        slopes = np.add.reduceat(shares, self._starts)
        ms = slopes.sum(1)
        return ms, slopes / ms[:, None]
