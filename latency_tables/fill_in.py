"""A latency for workloads that were never measured, learned from those that were.

Two layers. A roofline (non-negative least squares on relative errors) gives every operation a base
time from its MACs, bytes and launch. A Gaussian process then says by how much an operation's true
time departs from its base. Only sums over the operations of a unit are observed, and the process is
linear, so it is fitted on sums: every unit, whatever its kind, teaches the operations it is made of.

The process is sparse: a few inducing points an operation kind, chosen far from one another, carry it
(subset of regressors with the FITC variance; Quinonero-Candela and Rasmussen 2005, JMLR 6), so that a
prediction costs microseconds and does not grow with the table. Length scale, amplitude and noise come
from the marginal likelihood.

Tried against it on 800 units of a host CPU, error on units never seen, 200 rows to learn from: the
roofline alone 13 %, a process over whole units 8.4 %, quadratic ridge on operations 9.2 %, this 7.9 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import dist, exp
from operator import mul
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.optimize import nnls

from ..zen.workload import Workload
from .features import KINDS, OpFeatures, TimedOp, Vector, op_features, timed_ops, workload_features

MIN_ROWS = 8
_INDUCING_PER_KIND = 48
_KIND_GAP = 1e3
"""Distance between two kinds of operation: their covariance is nought."""
_JITTER = 1e-6
_LENGTHS = (1.5, 2.0, 3.0, 4.5)
_AMPLITUDES = (0.25, 0.5)
_NOISES = (0.02, 0.04, 0.08)
_ROWS_FOR_HYPER = 400
_LEAST_MS = 1e-6
_MOST_KEPT = 32_768
"""So many operations are kept, so that memory stays bounded."""
_UNKNOWN = 1e-3
"""A direction of which the rows tell less than this share of the prior variance is left out."""
_FASTEST = 0.2
"""A process is not bounded, a time is: no unit is predicted to beat its roofline by more than this."""


class FillIn:
    """The learned latency of a workload, in ms, with its variance; `noise` is its relative floor."""

    def __init__(self, workloads: Sequence[Workload], latencies_ms: Sequence[float]) -> None:
        """Learns from at least MIN_ROWS measured workloads; deterministic."""
        times = np.asarray(latencies_ms, dtype=float)
        features = [workload_features(workload) for workload in workloads]
        self._rates = _fit_roofline(features, times).tolist()
        points, base = self._arrays([op for unit in features for op in unit])
        unit_of = np.repeat(np.arange(len(features)), [len(ops) for ops in features])
        base_of_unit = np.bincount(unit_of, base)
        share = base / base_of_unit[unit_of]
        departures = times / base_of_unit - 1
        self._inducing = _Points(_inducing(points))
        squared = self._inducing.squared_distances(points)

        def fit(hyper: tuple[float, float, float], units: int) -> _Fit:
            length, amplitude, noise = hyper
            ops = unit_of < units
            kernel = _Kernel(length, amplitude)
            return _Fit(
                kernel, noise, self._inducing, squared[ops], share[ops], unit_of[ops], departures[:units]
            )

        # A plan's rows come in random order, so the first ones speak for all.
        hypers = product(_LENGTHS, _AMPLITUDES, _NOISES)
        chosen = max(hypers, key=lambda hyper: fit(hyper, _ROWS_FOR_HYPER).evidence)
        best = fit(chosen, len(times))
        self.noise = best.noise
        self._kernel = best.kernel
        kinds = self._inducing.points[:, 0]
        self._near = [
            _Near(self._inducing.points[own, 1:], best.mean[own], best.explained_root[own])
            for own in (kinds == _KIND_GAP * kind for kind in range(len(KINDS)))
        ]
        self._ops: dict[TimedOp, _PredictedOp] = {}

    def predict(self, workload: Workload) -> tuple[float, float]:
        """Latency in ms and its variance in ms squared."""
        ops = [self._ops.get(op) or self._predicted_op(op) for op in timed_ops(workload)]
        total = departure = own = 0.0
        at = self._kernel.at
        for index, op in enumerate(ops):
            total += op.base
            departure += op.departure
            own += op.base**2 * at(0.0)
            for other in ops[:index]:
                if other.kind == op.kind:
                    own += 2 * op.base * other.base * at(dist(op.point, other.point))
        explained = np.add.reduce([op.explained for op in ops])
        ms = max(total + departure, _FASTEST * total)
        variance = max(own - float(explained @ explained), 0.0)
        return ms, variance + (self.noise * total) ** 2

    def _predicted_op(self, op: TimedOp) -> _PredictedOp:
        features = op_features(op)
        base = max(sum(map(mul, features.work, self._rates)), _LEAST_MS)
        near = self._near[features.kind]
        cross = self._kernel(np.square(near.points - features.point).sum(1))
        cross *= base
        if len(self._ops) >= _MOST_KEPT:
            self._ops.clear()
        # A search meets far more units than operations that differ.
        self._ops[op] = predicted = _PredictedOp(
            features.kind, features.point, base, float(cross @ near.mean), cross @ near.explained_root
        )
        return predicted

    def _arrays(self, ops: Sequence[OpFeatures]) -> tuple[Vector, Vector]:
        """Point (first its kind, far from all others) and base time in ms of each operation."""
        points = np.array([(_KIND_GAP * op.kind, *op.point) for op in ops])
        base = np.array([op.work for op in ops]) @ self._rates
        return points, np.maximum(base, _LEAST_MS)


class _Near(NamedTuple):
    """The inducing points of one kind of operation, and what a fit says of them."""

    points: Vector
    mean: Vector
    explained_root: Vector


@dataclass(frozen=True, slots=True)
class _PredictedOp:
    """One operation: its base and its departure from that, in ms; `explained` is what its departure's
    prior variance loses, as a vector: those of several operations add up before they are squared."""

    kind: int
    point: tuple[float, ...]
    base: float
    departure: float
    explained: Vector


class _Points:
    """Points that distances are taken to, prepared once."""

    def __init__(self, points: Vector) -> None:
        self.points = points
        self._transposed = -2 * points.T
        self._norms = np.einsum("ij,ij->i", points, points)

    def squared_distances(self, others: Vector) -> Vector:
        squared: Vector = others @ self._transposed
        squared += self._norms
        squared += np.einsum("ij,ij->i", others, others)[:, None]
        return squared


@dataclass(frozen=True)
class _Kernel:
    """Covariance of two operations' departures from their base; none between different kinds."""

    length: float
    amplitude: float

    def __call__(self, squared_distances: Vector) -> Vector:
        covariance: Vector = np.exp(squared_distances * (-0.5 / self.length**2))
        covariance *= self.amplitude**2
        return covariance

    def at(self, distance: float) -> float:
        return self.amplitude**2 * exp(-0.5 * (distance / self.length) ** 2)


class _Fit:
    """The sparse process under one choice of hyper-parameters.

    `mean` and `explained_root` act on covariances with the inducing points: they give the prediction, and
    a vector whose square is the variance removed.
    """

    def __init__(
        self,
        kernel: _Kernel,
        noise: float,
        inducing: _Points,
        squared: Vector,
        share: Vector,
        unit_of: NDArray[np.intp],
        departures: Vector,
    ) -> None:
        self.kernel, self.noise = kernel, noise
        identity = np.eye(len(inducing.points))
        prior = kernel(inducing.squared_distances(inducing.points)) + _JITTER * identity
        whiten = solve_triangular(np.linalg.cholesky(prior), identity, lower=True)
        projected = kernel(squared) @ whiten.T
        residual = np.maximum(kernel.amplitude**2 - np.einsum("ij,ij->i", projected, projected), 0.0)
        first_op = np.flatnonzero(np.diff(unit_of, prepend=-1))
        design = np.add.reduceat(share[:, None] * projected, first_op)
        variances = noise**2 + np.bincount(unit_of, share**2 * residual)
        scaled = design / variances[:, None]
        root = np.linalg.cholesky(design.T @ scaled + identity)
        posterior_root = solve_triangular(root, identity, lower=True)
        weights = posterior_root.T @ (posterior_root @ (scaled.T @ departures))
        self.mean = whiten.T @ weights
        learned, axes = np.linalg.eigh(identity - posterior_root.T @ posterior_root)
        known = learned > _UNKNOWN
        self.explained_root = whiten.T @ (axes[:, known] * np.sqrt(learned[known]))
        misfit = float(departures @ (departures / variances) - departures @ (scaled @ weights))
        log_determinant = 2 * np.log(np.diag(root)).sum() + np.log(variances).sum()
        self.evidence = -0.5 * (misfit + float(log_determinant))


def _fit_roofline(features: Sequence[tuple[OpFeatures, ...]], times: Vector) -> Vector:
    work = np.array([np.sum([op.work for op in unit], axis=0) for unit in features])
    rates, _ = nnls(work / times[:, None], np.ones(len(times)))
    return np.asarray(rates)


def _inducing(points: Vector) -> Vector:
    return np.concatenate([_spread_out(points[points[:, 0] == kind]) for kind in np.unique(points[:, 0])])


def _spread_out(points: Vector) -> Vector:
    """Up to _INDUCING_PER_KIND of the points, each the farthest from those before it."""
    unique = np.unique(points, axis=0)
    if len(unique) <= _INDUCING_PER_KIND:
        return unique
    chosen = [int(np.argmin(np.square(unique - unique.mean(0)).sum(1)))]
    distance = np.full(len(unique), np.inf)
    while len(chosen) < _INDUCING_PER_KIND:
        distance = np.minimum(distance, np.square(unique - unique[chosen[-1]]).sum(1))
        chosen.append(int(distance.argmax()))
    return unique[chosen]
