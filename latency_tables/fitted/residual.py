"""Residual: what a sum over units leaves of a network's latency, learned where there are many networks.

A Gaussian process over a network's features, each as a share of its largest: how far the latency departs from
what the coefficients say. Tried on 15 devices of NAS-Bench-201, 800 cells to learn from: the Myriad VPU goes
from 3.2 to 2.7 %, the edge GPU from 3.6 to 2.6 %; on noisy CPUs it loses, so a fit takes it where the error
of networks left out says so (`fit.py`). A kernel on the operation of each edge, in place of the features,
differs by less than 0.1 points on thirteen of the fifteen, and other spaces have no edges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model_statistics import ModelError, numbers
from ..op_features import Vector

LEAST_NETWORKS = 60
MOST_NETWORKS = 512
"""So many networks carry the process: a search asks it for every candidate, and a card has to hold them."""
_LENGTHS = (1.0, 2.0, 4.0, 8.0)
_NOISES = (0.1, 0.2, 0.4, 0.8)
"""Variance of the noise over that of the process."""
_MOST_DEPARTURE = 0.5
_LEAST = 1e-12
"""Of a length and of the most that networks have of a feature."""


@dataclass(frozen=True, eq=False)
class Residual:
    """The process, given some networks: `points` are their features over `scales`, one row a network;
    `weights` act on their covariances with another network's."""

    scales: Vector
    points: Vector
    weights: Vector
    length: float

    def departures(self, features: Vector) -> Vector:
        """By what share of it the latency of each network departs from the sum over its units; one row of
        features a network."""
        found = _covariance(features / self.scales, self.points, self.length) @ self.weights
        bounded: Vector = np.clip(found, -_MOST_DEPARTURE, _MOST_DEPARTURE)
        return bounded

    def to_json(self, names: Sequence[str]) -> dict[str, Any]:
        return {
            "length": self.length,
            "scales": dict(zip(names, map(_short, self.scales.tolist()), strict=True)),
            "points": [[_short(value) for value in point] for point in self.points.tolist()],
            "weights": [_short(weight) for weight in self.weights.tolist()],
        }

    @staticmethod
    def from_json(given: Any, names: Sequence[str]) -> Residual:
        """What `to_json` wrote; raises ModelError for anything else."""
        if not isinstance(given, Mapping) or not isinstance(given.get("scales"), Mapping):
            raise ModelError("its residual must have length, scales, points and weights")
        if set(given["scales"]) != set(names):
            raise ModelError(f"the scales of its residual must be {', '.join(names)}")
        try:
            scales = numbers([given["scales"][name] for name in names])
            points, weights = numbers(given["points"]), numbers(given["weights"])
            length = numbers(given["length"])
        except (KeyError, ModelError):
            raise ModelError(
                "the residual's length, scales, points and weights must be possible numbers"
            ) from None
        shapes = (length.shape, scales.shape, weights.shape, points.shape)
        if shapes != ((), (len(names),), (len(points),), (len(points), len(names))) or not len(points):
            raise ModelError("its residual must have a point and a weight for each network it is carried by")
        if not (length > _LEAST and (scales > _LEAST).all()):
            raise ModelError(f"the length and scales of its residual must be above {_LEAST:g}")
        return Residual(scales, points, weights, float(length))


class ResidualFit:
    """Learns a residual from the features of networks, by all of them or without some."""

    def __init__(self, features: Vector, departures: Vector) -> None:
        """`departures`: of every network, truth over the sum, less one. Length and noise are those of the
        highest evidence (Rasmussen and Williams 2006, eq. 5.8), the process's own variance being the best."""
        largest = np.abs(features).max(0)
        self._scales = np.where(largest > 0, largest, 1.0)
        self._points = features / self._scales
        order = np.random.default_rng(0).permutation(len(features))
        self._carrying = np.sort(order[:MOST_NETWORKS])
        own = self._points[self._carrying]
        fits = (
            (_misfit(covariance + noise * np.eye(len(own)), departures[self._carrying]), length, noise)
            for length, covariance in ((length, _covariance(own, own, length)) for length in _LENGTHS)
            for noise in _NOISES
        )
        _, self._length, self._noise = min(fits)

    def residual(self, departures: Vector, without: NDArray[np.intp] | tuple[()] = ()) -> Residual:
        """Learned from the networks that carry it, but those `without`."""
        carrying = self._carrying[~np.isin(self._carrying, without)]
        points = self._points[carrying]
        covariance = _covariance(points, points, self._length) + self._noise * np.eye(len(points))
        return Residual(self._scales, points, np.linalg.solve(covariance, departures[carrying]), self._length)


def _misfit(covariance: Vector, departures: Vector) -> float:
    _, log_determinant = np.linalg.slogdet(covariance)
    variance = float(departures @ np.linalg.solve(covariance, departures)) / len(departures)
    return len(departures) * log(max(variance, 1e-300)) + float(log_determinant)


def _covariance(points: Vector, others: Vector, length: float) -> Vector:
    """Matern's with 3/2, of unit variance."""
    squared = np.square(points).sum(1)[:, None] + np.square(others).sum(1) - 2 * points @ others.T
    scaled = np.sqrt(np.maximum(squared, 0.0)) * (sqrt(3) / length)
    found: Vector = (1 + scaled) * np.exp(-scaled)
    return found


def _short(value: float) -> float:
    return float(f"{value:.7g}")
