"""A sparse Gaussian process over operations of which only sums, one a unit, are observed.

An operation's value is how far its time departs from a base, as a share of that base. Inducing points, a few
an operation kind and chosen far from one another, carry the process (subset of regressors with the FITC
variance; Quinonero-Candela and Rasmussen 2005, JMLR 6), so that its cost does not grow with what is observed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from .features import OpFeatures, Vector

KIND_GAP = 1e3
"""Distance between two kinds of operation: their covariance is nought."""
LEAST_MS = 1e-6
_PER_KIND = 96
_JITTER = 1e-6
_UNKNOWN = 1e-3
"""A direction of which the units tell less than this share of the prior variance is left out."""


@dataclass(frozen=True)
class Units:
    """Units as the operations they are made of: a point (first its kind, far from all others), a base in ms,
    and the number of its unit for each."""

    points: Vector
    base: Vector
    unit_of: NDArray[np.intp]

    @staticmethod
    def of(features: Sequence[Sequence[OpFeatures]], rates: Sequence[float]) -> Units:
        """Units with the rates of the roofline as their base."""
        ops = [op for unit in features for op in unit]
        return Units(
            np.array([(KIND_GAP * op.kind, *op.point) for op in ops]),
            np.maximum(np.array([op.work for op in ops]) @ np.asarray(rates), LEAST_MS),
            np.repeat(np.arange(len(features)), [len(unit) for unit in features]),
        )

    @cached_property
    def base_of_unit(self) -> Vector:
        return self.summed(self.base)

    @cached_property
    def share(self) -> Vector:
        """Of its unit's base, an operation's."""
        share: Vector = self.base / self.base_of_unit[self.unit_of]
        return share

    def summed(self, values: Vector) -> Vector:
        """Of each unit, the sum of what its operations have."""
        first_op = np.flatnonzero(np.diff(self.unit_of, prepend=-1))
        total: Vector = np.add.reduceat(values, first_op)
        return total

    def first(self, count: int) -> Units:
        ops = self.unit_of < count
        return Units(self.points[ops], self.base[ops], self.unit_of[ops])


class Points:
    """Points that distances are taken to, prepared once."""

    def __init__(self, points: Vector) -> None:
        self.points = points
        self._transposed = -2 * points.T
        self._norms = np.einsum("ij,ij->i", points, points)

    @staticmethod
    def inducing(points: Vector) -> Points:
        """A few points of each kind, each the farthest from those before it."""
        kinds = np.unique(points[:, 0])
        return Points(np.concatenate([_spread_out(points[points[:, 0] == kind]) for kind in kinds]))

    def squared_distances(self, others: Vector) -> Vector:
        squared: Vector = others @ self._transposed
        squared += self._norms
        squared += np.einsum("ij,ij->i", others, others)[:, None]
        return squared


@dataclass(frozen=True)
class Kernel:
    """Covariance of two operations' departures from their base; none between different kinds."""

    length: float
    amplitude: float

    def __call__(self, squared_distances: Vector) -> Vector:
        covariance: Vector = np.exp(squared_distances * (-0.5 / self.length**2))
        covariance *= self.amplitude**2
        return covariance

    def at(self, distance: float) -> float:
        return self.amplitude**2 * exp(-0.5 * (distance / self.length) ** 2)


class Projection:
    """The process as a combination of independent standard normals, one an inducing point."""

    def __init__(self, kernel: Kernel, inducing: Points) -> None:
        self._kernel = kernel
        identity = np.eye(len(inducing.points))
        prior = kernel(inducing.squared_distances(inducing.points)) + _JITTER * identity
        self.whiten: Vector = solve_triangular(np.linalg.cholesky(prior), identity, lower=True)

    def design(self, units: Units, squared: Vector) -> tuple[Vector, Vector]:
        """What each unit's departure has of each normal, and the variance that they leave out; `squared` are
        the squared distances of the units' operations to the inducing points."""
        projected = self._kernel(squared) @ self.whiten.T
        left = np.maximum(self._kernel.amplitude**2 - np.einsum("ij,ij->i", projected, projected), 0.0)
        return units.summed(units.share[:, None] * projected), units.summed(units.share**2 * left)


class Process:
    """The process under one choice of kernel and noise, given the departures of some units.

    `mean` and `explained_root` act on covariances with the inducing points: they give the prediction, and
    a vector whose square is the variance removed.
    """

    def __init__(
        self,
        kernel: Kernel,
        noise: float,
        inducing: Points,
        units: Units,
        squared: Vector,
        departures: Vector,
    ) -> None:
        self.kernel, self.noise = kernel, noise
        projection = Projection(kernel, inducing)
        design, left = projection.design(units, squared)
        identity = np.eye(design.shape[1])
        variances = noise**2 + left
        scaled = design / variances[:, None]
        root = np.linalg.cholesky(design.T @ scaled + identity)
        posterior_root = solve_triangular(root, identity, lower=True)
        weights = posterior_root.T @ (posterior_root @ (scaled.T @ departures))
        self.mean = projection.whiten.T @ weights
        self._whiten, self._learned = projection.whiten, identity - posterior_root.T @ posterior_root
        misfit = float(departures @ (departures / variances) - departures @ (scaled @ weights))
        log_determinant = 2 * np.log(np.diag(root)).sum() + np.log(variances).sum()
        self.evidence = -0.5 * (misfit + float(log_determinant))

    @cached_property
    def explained_root(self) -> Vector:
        learned, axes = np.linalg.eigh(self._learned)
        known = learned > _UNKNOWN
        root: Vector = self._whiten.T @ (axes[:, known] * np.sqrt(learned[known]))
        return root


def _spread_out(points: Vector) -> Vector:
    """Up to _PER_KIND of the points, each the farthest from those before it."""
    unique = np.unique(points, axis=0)
    if len(unique) <= _PER_KIND:
        return unique
    chosen = [int(np.argmin(np.square(unique - unique.mean(0)).sum(1)))]
    distance = np.full(len(unique), np.inf)
    while len(chosen) < _PER_KIND:
        distance = np.minimum(distance, np.square(unique - unique[chosen[-1]]).sum(1))
        chosen.append(int(distance.argmax()))
    return unique[chosen]
