"""A sparse Gaussian process over operations of which only sums, one a unit, are observed.

An operation's value is how far its time departs from a base, as a share of that base. Inducing points, some
of the operations, carry the process (subset of regressors with the FITC variance; Quinonero-Candela and
Rasmussen 2005, JMLR 6), so that its cost does not grow with what is observed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from ..op_features import OpFeatures, Vector

KIND_GAP = 1e3
"""Distance between two kinds of operation: their covariance is nought."""
LEAST_MS = 1e-6
MOST_INDUCING = 576
_JITTER = 1e-6
_LAPS = 3
_FREEDOM = 4.0
"""Of Student's t: a unit that the others do not expect counts for less, lap by lap (its noise is raised to
what makes it plausible): some rows of any table were measured while something else was busy."""
_UNKNOWN = 1e-3
"""A direction of which the units tell less than this share of the prior variance is left out."""


@dataclass(frozen=True)
class Units:
    """Units as the operations they are made of: a kind, a point (first its kind, far from all others), a base
    in ms, and the number of its unit for each.

    `amplitudes`: of each kind, the standard deviation of an operation's departure, as a share of its base.
    """

    kinds: NDArray[np.intp]
    points: Vector
    base: Vector
    unit_of: NDArray[np.intp]
    amplitudes: Vector

    @staticmethod
    def of(
        features: Sequence[Sequence[OpFeatures]], rates: Sequence[float], amplitudes: Sequence[float]
    ) -> Units:
        """Units with the rates of the roofline as their base."""
        ops = [op for unit in features for op in unit]
        return Units(
            np.array([op.kind for op in ops]),
            np.array([(KIND_GAP * op.kind, *op.point) for op in ops]),
            np.maximum(np.array([op.work for op in ops]) @ np.asarray(rates), LEAST_MS),
            np.repeat(np.arange(len(features)), [len(unit) for unit in features]),
            np.asarray(amplitudes),
        )

    @cached_property
    def base_of_unit(self) -> Vector:
        return self.summed(self.base)

    @cached_property
    def weight(self) -> Vector:
        """Of its unit's departure, what an operation's process of unit variance makes."""
        weight: Vector = self.amplitudes[self.kinds] * self.base / self.base_of_unit[self.unit_of]
        return weight

    def summed(self, values: Vector) -> Vector:
        """Of each unit, the sum of what its operations have."""
        first_op = np.flatnonzero(np.diff(self.unit_of, prepend=-1))
        total: Vector = np.add.reduceat(values, first_op)
        return total

    def first(self, count: int) -> Units:
        ops = self.unit_of < count
        return Units(self.kinds[ops], self.points[ops], self.base[ops], self.unit_of[ops], self.amplitudes)


class Points:
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
class Covariance:
    """Covariance of two operations, by their squared distance: Matern's with 3/2 (Rasmussen and Williams
    2006, eq. 4.17), since runtimes change their kernels abruptly and a smoother process overshoots there.
    Between different kinds it is nought."""

    length: float

    def __call__(self, squared_distances: Vector) -> Vector:
        scaled = np.sqrt(np.maximum(squared_distances, 0.0)) * (sqrt(3) / self.length)
        covariance: Vector = (1 + scaled) * np.exp(-scaled)
        return covariance

    def at(self, distance: float) -> float:
        scaled = sqrt(3) * distance / self.length
        return (1 + scaled) * exp(-scaled)


class Projection:
    """The process as a combination of independent standard normals, one an inducing point."""

    def __init__(self, kernel: Covariance, inducing: Points) -> None:
        self._kernel, self._inducing = kernel, inducing
        identity = np.eye(len(inducing.points))
        prior = kernel(inducing.squared_distances(inducing.points)) + _JITTER * identity
        self.whiten: Vector = solve_triangular(np.linalg.cholesky(prior), identity, lower=True)

    def design(self, units: Units) -> tuple[Vector, Vector]:
        """What each unit's departure has of each normal, and the variance that they leave out."""
        projected = self._kernel(self._inducing.squared_distances(units.points)) @ self.whiten.T
        left = np.maximum(1.0 - np.einsum("ij,ij->i", projected, projected), 0.0)
        return units.summed(units.weight[:, None] * projected), units.summed(units.weight**2 * left)


class Process:
    """The process under one choice of kernel and noise, given the departures of some units.

    `noise` is how far a unit is from what the process says of it, relative, as units left out have it.
    `mean` and `explained_root` act on covariances with the inducing points: they give the prediction, and
    a vector whose square is the variance removed.
    """

    def __init__(
        self, kernel: Covariance, noise: float, inducing: Points, units: Units, departures: Vector
    ) -> None:
        projection = Projection(kernel, inducing)
        design, left = projection.design(units)
        identity = np.eye(design.shape[1])
        usual = variances = noise**2 + left
        for laps_left in reversed(range(_LAPS)):
            scaled = design / variances[:, None]
            root = np.linalg.cholesky(design.T @ scaled + identity)
            posterior_root = solve_triangular(root, identity, lower=True)
            weights = posterior_root.T @ (posterior_root @ (scaled.T @ departures))
            known = np.square(design @ posterior_root.T).sum(1) / variances
            surprise = np.square(departures - design @ weights) / (usual * np.maximum(1 - known, _JITTER))
            if laps_left:
                variances = usual * (_FREEDOM + surprise) / (_FREEDOM + 1)
        self.noise = noise * _scale(surprise)
        self.mean = projection.whiten.T @ weights
        self._whiten, self._learned = projection.whiten, identity - posterior_root.T @ posterior_root

    @cached_property
    def explained_root(self) -> Vector:
        learned, axes = np.linalg.eigh(self._learned)
        known = learned > _UNKNOWN
        root: Vector = self._whiten.T @ (axes[:, known] * np.sqrt(learned[known]))
        return root


def _scale(surprise: Vector) -> float:
    """What standard deviations need to be times, by squared errors over variances: as many errors within one
    and two of them, on the whole, as a normal distribution has."""
    one, two = np.sqrt(np.quantile(surprise, (0.683, 0.954)))
    return float((one + two / 2) / 2)


def inducing_points(kernel: Covariance, units: Units) -> Points:
    """Up to MOST_INDUCING of the units' operations, each the one of which those before it leave open most of
    what it contributes to the units' variance (pivoted Cholesky, with weights)."""
    points, place = np.unique(units.points, axis=0, return_inverse=True)
    importance = np.bincount(place.ravel(), units.weight**2)
    # Kinds tell nothing of one another, so each has its own factor and competes by what it leaves open.
    kinds = points[:, 0]
    of_kind = {kind: np.flatnonzero(kinds == kind) for kind in np.unique(kinds)}
    factors = {kind: np.zeros((0, len(own))) for kind, own in of_kind.items()}
    left = np.ones(len(points))
    chosen: list[int] = []
    for _ in range(min(MOST_INDUCING, len(points))):
        best = int((left * importance).argmax())
        own, factor = of_kind[kinds[best]], factors[kinds[best]]
        row = kernel(np.square(points[own] - points[best]).sum(1))
        row -= factor[:, np.searchsorted(own, best)] @ factor
        row /= np.sqrt(max(left[best], _JITTER))
        factors[kinds[best]] = np.vstack([factor, row])
        left[own] = np.maximum(left[own] - row**2, 0.0)
        left[best] = 0.0
        chosen.append(best)
    return Points(points[np.sort(chosen)])
