"""Length, amplitudes and noise of the process: those under which the measured departures are likeliest."""

from __future__ import annotations

from dataclasses import replace
from math import log
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from ..op_features import KINDS, Vector
from .gaussian_process import Covariance, Points, Units

_LENGTHS = (2.5, 5.0, 10.0)
_AMPLITUDE, _NOISE = 0.35, 0.05
_AMPLITUDE_UNSEEN = 1.0
"""Of a kind that no row holds: its base is a guess."""
_FACTOR = 1.0
"""Amplitudes are expected within so many e-foldings of _AMPLITUDE; few rows tell little of a rare kind's."""
_AMPLITUDES = (0.02, 4.0)
_NOISES = (0.02, 0.2)


class Hyper(NamedTuple):
    """`amplitudes`: one a kind of operation; `noise`: of a whole unit, relative."""

    kernel: Covariance
    amplitudes: tuple[float, ...]
    noise: float


def likeliest(units: Units, departures: Vector) -> Hyper:
    """The hyperparameters of the highest evidence (Rasmussen and Williams 2006, eq. 5.8 and 5.9).

    A covariance of units is a sum over kinds, each with its squared amplitude as a factor: for one length,
    all else follows by gradients on matrices that are built once.
    """
    fits = [_fit(Covariance(length), units, departures) for length in _LENGTHS]
    return min(fits, key=lambda fit: fit[0])[1]


def _fit(kernel: Covariance, units: Units, departures: Vector) -> tuple[float, Hyper]:
    plain = replace(units, amplitudes=np.ones(len(KINDS)))
    present = np.unique(units.kinds)
    grams = [_gram(kernel, plain, kind) for kind in present]
    identity = np.eye(len(departures))

    def cost(logs: Vector) -> tuple[float, Vector]:
        *squares, noise = np.exp(2 * logs)
        whole = sum((square * gram for square, gram in zip(squares, grams, strict=True)), noise * identity)
        factor = cho_factor(whole, lower=True, overwrite_a=True, check_finite=False)
        solved = cho_solve(factor, departures)
        value = 0.5 * departures @ solved + np.log(np.diag(factor[0])).sum()
        slope = cho_solve(factor, identity) - np.outer(solved, solved)
        gradient = squares * np.array([np.vdot(slope, gram) for gram in grams])
        away = (logs[:-1] - log(_AMPLITUDE)) / _FACTOR
        value += 0.5 * away @ away
        return float(value), np.array([*(gradient + away / _FACTOR), noise * np.trace(slope)])

    start = np.log([*(_AMPLITUDE for _ in present), _NOISE])
    bounds = [tuple(np.log(_AMPLITUDES))] * len(present) + [tuple(np.log(_NOISES))]
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 25})
    *seen, noise = np.exp(found.x)
    amplitudes = np.full(len(KINDS), _AMPLITUDE_UNSEEN)
    amplitudes[present] = seen
    return float(found.fun), Hyper(kernel, tuple(amplitudes.tolist()), float(noise))


def _gram(kernel: Covariance, units: Units, kind: int) -> Vector:
    """Covariances of the units by their operations of one kind."""
    own = units.kinds == kind
    points, place = np.unique(units.points[own], axis=0, return_inverse=True)
    shape = (len(units.base_of_unit), len(points))
    summing = csr_matrix((units.weight[own], (units.unit_of[own], place.ravel())), shape)
    gram: Vector = summing @ (summing @ kernel(Points(points).squared_distances(points))).T
    return gram
