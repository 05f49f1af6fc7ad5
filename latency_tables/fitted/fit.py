"""Fitting a space's features to latencies of whole networks, and the error of networks left out.

Every coefficient is the ms that one unit of a feature takes: a Bayesian linear regression on relative
errors. What carries the latency has a wide prior and is not negative; corrections are drawn towards
nought, by a share of the latency that is, like the noise, the one of highest evidence: where measurements
are noisy or few, hardly any correction is believed. What a sum over units cannot say is left to a residual
(`residual.py`), where there are networks enough and those left out are predicted better with it.

Tried on NAS-Bench-201 (see docs/fitted.md): without corrections the error stays the same however many
networks there are; with them it falls on the GPUs, by two fifths at 900, and on the noisy CPU is no larger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import TableError
from ...zen.network import Network
from ...zen.workload import Workload
from ..model_statistics import ErrorStatistics, Trained
from ..op_features import Vector
from .features import WholeFeatures
from .record import FittedRecord, fitted_ms
from .residual import LEAST_NETWORKS as LEAST_FOR_RESIDUAL
from .residual import Residual, ResidualFit

LEAST_NETWORKS = 10
FOLDS = 10
_CARRIER_SHARE = 0.5
"""Prior standard deviation of what one carrier explains of a typical network."""
_CORRECTION_SHARES = (0.0, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
"""Prior standard deviation of the most that one correction explains of any network."""
_NOISES = tuple(0.0005 * 1.5**step for step in range(17))
_DIRECTIONS = 8
"""So many directions of the coefficients are kept, those that matter most to the networks fitted to: a
search adds them up for every candidate. What the others would add is in the noise."""
_LEAST_NOISE = 1e-3
_SPREAD = 1e-6
"""Latencies that differ by less say nothing of their networks."""
_LEAST_GAIN = 0.02
"""Of the error left out, what a residual has to gain: it makes a table larger and a search slower."""


@dataclass(frozen=True)
class _Fit:
    """`directions`: what times its transpose is the covariance of the coefficients."""

    coefficients: Vector
    directions: Vector


def fit_networks(
    networks: Sequence[Network],
    names: Sequence[str],
    latencies_ms: Sequence[float],
    readings: Sequence[WholeFeatures],
) -> FittedRecord:
    """The model of these networks with its error on those left out, by the reading of what runs that has
    the least; raises TableError where there is nothing to learn."""
    truths = np.asarray(latencies_ms, dtype=float)
    if len(truths) < LEAST_NETWORKS:
        raise TableError(f"a fit needs at least {LEAST_NETWORKS} networks, not {len(truths)}")
    if np.ptp(truths) <= _SPREAD * truths.max():
        raise TableError(
            f"all {len(truths)} networks have the same latency, {truths[0]:g} ms, from which nothing "
            "can be learned"
        )
    tried = [_tried(networks, truths, features) for features in readings]
    best = min(tried, key=lambda one: one.error)
    features, sums = best.features, best.sums
    fit = _fit(sums / truths[:, None], features.carriers)
    predicted = fitted_ms(sums, fit.coefficients, features.carriers)
    best, residual = _with_residual(best, truths, predicted)
    left_out, spreads = best.left_out, best.spreads
    if residual is not None:
        predicted *= 1 + residual.departures(sums)
    # Errors of networks left out, less what uncertain coefficients explain of them.
    noise = sqrt(max(float(np.mean((left_out - 1) ** 2 - spreads**2)), _LEAST_NOISE**2))
    figures = zip(names, truths, predicted, left_out * truths, strict=True)
    resolutions = [network.resolution for network in networks]
    return FittedRecord(
        features=features,
        coefficients=fit.coefficients,
        directions=fit.directions,
        unseen=tuple(name for name, column in zip(features.names, sums.T, strict=True) if not column.any()),
        noise=noise,
        resolutions=(min(resolutions), max(resolutions)),
        error=ErrorStatistics.of(left_out * truths, truths),
        trained_on=tuple(Trained(name, *map(float, values)) for name, *values in figures),
        readings={one.features.reading: one.error for one in tried},
        residual=residual,
    )


class _Tried(NamedTuple):
    """One reading with the features of all networks, and what `_left_out` says of it."""

    features: WholeFeatures
    sums: Vector
    left_out: Vector
    spreads: Vector
    folds: list[tuple[NDArray[np.intp], Vector]]
    """The places of networks left out together, and what a fit without them says of all networks, in ms."""

    @property
    def error(self) -> float:
        return float(np.mean(np.abs(self.left_out - 1)))


def _tried(networks: Sequence[Network], truths: Vector, features: WholeFeatures) -> _Tried:
    return _left_out(features, network_features(networks, features), truths)


def _with_residual(best: _Tried, truths: Vector, predicted: Vector) -> tuple[_Tried, Residual | None]:
    """The same with a residual, if it has the lesser error on networks left out of both."""
    if len(truths) < LEAST_FOR_RESIDUAL:
        return best, None
    departures = truths / predicted - 1
    learner = ResidualFit(best.sums, departures)
    left_out = np.empty(len(truths))
    for fold, sums_ms in best.folds:
        residual = learner.residual(truths / sums_ms - 1, without=fold)
        left_out[fold] = sums_ms[fold] * (1 + residual.departures(best.sums[fold])) / truths[fold]
    found = best._replace(left_out=left_out)
    wins = best.error > _LEAST_NOISE and found.error < (1 - _LEAST_GAIN) * best.error
    return (found, learner.residual(departures)) if wins else (best, None)


def network_features(networks: Sequence[Network], features: WholeFeatures) -> Vector:
    """One row a network."""
    kept: dict[Workload, Vector] = {}
    sums = np.zeros((len(networks), len(features.names)))
    for index, network in enumerate(networks):
        for workload in network.workloads():
            found = kept.get(workload)
            if found is None:
                found = kept[workload] = np.asarray(features.unit(workload))
            sums[index] += found
        beside = features.beside(network)
        if beside is not None:
            sums[index] += beside
    return sums


def _left_out(features: WholeFeatures, sums: Vector, truths: Vector) -> _Tried:
    """Prediction over truth of every network by a fit without its fold, and its relative deviation."""
    rows = sums / truths[:, None]
    predicted, spreads, folds = np.empty(len(rows)), np.empty(len(rows)), []
    order = np.random.default_rng(0).permutation(len(rows))
    for fold in np.array_split(order, FOLDS):
        fit = _fit(np.delete(rows, fold, axis=0), features.carriers)
        every = fitted_ms(sums, fit.coefficients, features.carriers)
        predicted[fold] = every[fold] / truths[fold]
        spreads[fold] = np.linalg.norm(rows[fold] @ fit.directions, axis=1)
        folds.append((fold, every))
    return _Tried(features, sums, predicted, spreads, folds)


def _fit(rows: Vector, carriers: int) -> _Fit:
    """rows @ coefficients = 1, at the correction share and noise of highest evidence."""
    typical = np.abs(rows).mean(0)
    typical[carriers:] = np.abs(rows[:, carriers:]).max(0, initial=0.0)
    # What no network has stays out: nothing could be learned of it.
    scales = np.divide(1.0, typical, out=np.zeros_like(typical), where=typical > 0)
    scales[:carriers] *= _CARRIER_SHARE
    gram, moment = rows.T @ rows, rows.sum(0)
    best, chosen = -inf, (scales, _NOISES[-1])
    for share in _CORRECTION_SHARES:
        scaled = scales.copy()
        scaled[carriers:] *= share
        values, vectors = np.linalg.eigh(scaled[:, None] * gram * scaled)
        explained = (vectors.T @ (scaled * moment)) ** 2
        for noise in _NOISES:
            grown = 1 + np.maximum(values, 0.0) / noise**2
            misfit = len(rows) / noise**2 - float(np.sum(explained / grown)) / noise**4
            evidence = -0.5 * (misfit + float(np.log(grown).sum())) - len(rows) * log(noise)
            if evidence > best:
                best, chosen = evidence, (scaled, noise)
    scaled, noise = chosen
    while True:
        inner, mean = _posterior(gram, moment, scaled, noise)
        worst = int(np.argmin(mean[:carriers]))
        if mean[worst] >= 0:
            break
        # Work that would take negative time takes none; the others are fitted again without it.
        scaled[worst] = 0.0
    covariance = scaled[:, None] * np.linalg.inv(inner) * scaled
    return _Fit(mean * scaled, _directions(rows, covariance))


def _posterior(gram: Vector, moment: Vector, scales: Vector, noise: float) -> tuple[Vector, Vector]:
    """Inverse covariance and mean of the coefficients in units of their scales."""
    inner = np.eye(len(scales)) + scales[:, None] * gram * scales / noise**2
    right = scales * moment / noise**2
    return inner, np.linalg.solve(inner, right)


def _directions(rows: Vector, covariance: Vector) -> Vector:
    """The columns by which a covariance matters most to `rows`."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    _, _, turned = np.linalg.svd(rows @ root, full_matrices=False)
    found: Vector = root @ turned[:_DIRECTIONS].T
    return found
