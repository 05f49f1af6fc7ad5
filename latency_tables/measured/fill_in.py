"""A latency for workloads that were never measured, learned from those that were.

Two layers. A roofline (non-negative least squares on relative errors) gives every operation a base
time from its MACs, bytes and launch. A sparse Gaussian process (`process.py`) then says by how much an
operation's true time departs from its base. Only sums over the operations of a unit are observed, and the
process is linear, so it is fitted on sums: every unit, whatever its kind, teaches the operations it is made
of. A prediction costs microseconds and does not grow with the table.

Tried on the host's tables of 2,500 units (LiteRT / ONNX Runtime, one thread), mean error of units left out: a
smooth kernel (squared exponential) with one amplitude 3.8 / 5.1 %, this 3.1 / 4.7 %; a length for every
coordinate of every kind gains nothing beyond that. Before, 200 of 800 units to learn from: the roofline alone
13 %, a process over whole units 8.4 %, quadratic ridge on operations 9.2 %, a process on operations 7.9 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import dist
from operator import mul
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from ...zen.workload import Workload
from ..op_features import (
    KINDS,
    KINDS_WITH_MACS,
    OpFeatures,
    TimedOp,
    Vector,
    op_features,
    timed_ops,
    workload_features,
)
from .gaussian_process import KIND_GAP, LEAST_MS, Process, Units, inducing_points
from .gaussian_process_fit import likeliest

MIN_ROWS = 8
_ROWS_FOR_HYPER = 500
_MOST_KEPT = 4_096
"""So many operations are kept, at 4 kB each with 500 inducing points: a search of 20,000 candidates asks for
10,000 to 17,000, and takes 3 % longer than with all of them kept."""
_FASTEST = 0.2
"""A process is not bounded, a time is: no unit is predicted to beat its roofline by more than this."""


class FillIn:
    """The learned latency of a workload, in ms, with its variance; `noise` is its relative floor."""

    def __init__(self, workloads: Sequence[Workload], latencies_ms: Sequence[float]) -> None:
        """Learns from at least MIN_ROWS measured workloads; deterministic."""
        times = np.asarray(latencies_ms, dtype=float)
        features = [workload_features(workload) for workload in workloads]
        self.rates: list[float] = _fit_roofline(features, times).tolist()
        units = Units.of(features, self.rates, [1.0] * len(KINDS))
        departures = times / units.base_of_unit - 1
        # The first rows of a plan are drawn or chosen from all of its space, so they speak for the rest.
        few = units.first(_ROWS_FOR_HYPER)
        self.kernel, self.amplitudes, noise = likeliest(few, departures[:_ROWS_FOR_HYPER])
        units = replace(units, amplitudes=np.array(self.amplitudes))
        inducing = inducing_points(self.kernel, units)
        best = Process(self.kernel, noise, inducing, units, departures)
        self.noise = best.noise
        kinds = inducing.points[:, 0]
        self._near = [
            _Near(inducing.points[own, 1:], best.mean[own], best.explained_root[own])
            for own in (kinds == KIND_GAP * kind for kind in range(len(KINDS)))
        ]
        self._ops: dict[TimedOp, _PredictedOp] = {}

    def predict(self, workload: Workload) -> tuple[float, float]:
        """Latency in ms and its variance in ms squared."""
        ops = [self._ops.get(op) or self._predicted_op(op) for op in timed_ops(workload)]
        total = departure = own = 0.0
        at = self.kernel.at
        for index, op in enumerate(ops):
            total += op.base
            departure += op.departure
            own += op.amplitude**2
            for other in ops[:index]:
                if other.kind == op.kind:
                    own += 2 * op.amplitude * other.amplitude * at(dist(op.point, other.point))
        explained = np.add.reduce([op.explained for op in ops])
        ms = max(total + departure, _FASTEST * total)
        variance = max(own - float(explained @ explained), 0.0)
        return ms, variance + (self.noise * total) ** 2

    def _predicted_op(self, op: TimedOp) -> _PredictedOp:
        features = op_features(op)
        base = max(sum(map(mul, features.work, self.rates)), LEAST_MS)
        near = self._near[features.kind]
        cross = self.kernel(np.square(near.points - features.point).sum(1))
        amplitude = base * self.amplitudes[features.kind]
        cross *= amplitude
        if len(self._ops) >= _MOST_KEPT:
            self._ops.clear()
        departure, explained = float(cross @ near.mean), cross @ near.explained_root
        # A search meets far more units than operations that differ.
        self._ops[op] = predicted = _PredictedOp(
            features.kind, features.point, base, amplitude, departure, explained
        )
        return predicted


class _Near(NamedTuple):
    """The inducing points of one kind of operation, and what a fit says of them."""

    points: Vector
    mean: Vector
    explained_root: Vector


@dataclass(frozen=True, slots=True)
class _PredictedOp:
    """One operation: its base and its departure from that, in ms, and the departure's standard deviation
    before anything was measured; `explained` is what its variance loses, as a vector: those of several
    operations add up before they are squared."""

    kind: int
    point: tuple[float, ...]
    base: float
    amplitude: float
    departure: float
    explained: Vector


def _fit_roofline(features: Sequence[tuple[OpFeatures, ...]], times: Vector) -> Vector:
    work = np.array([np.sum([op.work for op in unit], axis=0) for unit in features])
    rates, _ = nnls(work / times[:, None], np.ones(len(times)))
    # A kind that was never measured gets a guess between those that were; its amplitude says so.
    macs = rates[:KINDS_WITH_MACS]
    if (macs > 0).any():
        macs[~work[:, :KINDS_WITH_MACS].any(0)] = np.exp(np.log(macs[macs > 0]).mean())
    return np.asarray(rates)
