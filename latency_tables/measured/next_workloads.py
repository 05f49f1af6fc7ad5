"""What to measure next: the workloads from which the predictions of whole networks gain most.

The fill-in's process tells, before anything is timed, how much a workload's latency would reduce the
variance of each network's prediction (V-optimal design: the mean variance over the space's own distribution
is minimised; Cohn, Ghahramani and Jordan 1996, JAIR 4, eq. 6). The best is taken, counted as known, and
the next one is looked for. Tried against it: the workload with the largest standard deviation of its own,
which goes for rare corners of the space first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...zen.workload import Workload
from ..op_features import workload_features
from .fill_in import FillIn
from .gaussian_process import Projection, Units, inducing_points


def most_informative(
    fill_in: FillIn,
    known: Sequence[Workload],
    candidates: Sequence[Workload],
    networks: Sequence[Sequence[Workload]],
    count: int,
) -> list[Workload]:
    """The `count` candidates to measure beside the known workloads, best first; fewer where there are fewer.

    `networks`: the units of each network whose prediction is to gain.
    """
    workloads = [*known, *candidates]
    rates, amplitudes = fill_in.rates, fill_in.amplitudes
    units = Units.of([workload_features(workload) for workload in workloads], rates, amplitudes)
    # The candidates' operations carry the process too: it shall learn what no row tells of.
    inducing = inducing_points(fill_in.kernel, units)
    projection = Projection(fill_in.kernel, inducing)
    design, left = projection.design(units)
    variances = fill_in.noise**2 + left
    ops = [[op for unit in network for op in workload_features(unit)] for network in networks]
    wholes = Units.of(ops, rates, amplitudes)
    sums, _ = projection.design(wholes)
    observed, possible = design[: len(known)], design[len(known) :]
    precision = observed.T @ (observed / variances[: len(known), None]) + np.eye(design.shape[1])
    noise = variances[len(known) :]
    # Covariance of each candidate with the normals, given all that is counted as known.
    reach = possible @ np.linalg.inv(precision)
    chosen: list[int] = []
    for _ in range(min(count, len(candidates))):
        own = noise + np.einsum("ij,ij->i", reach, possible)
        gains = np.square(reach @ sums.T).mean(1) / own
        gains[chosen] = -1.0
        best = int(gains.argmax())
        chosen.append(best)
        reach -= np.outer(possible @ reach[best], reach[best]) / own[best]
    return [candidates[index] for index in chosen]
