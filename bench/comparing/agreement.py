"""Agreement: how well predictions hold against measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from ...errors import UserError
from ..latency_files.latency_rows import LatencyRow
from .breakdown import Group, group, kind_of
from .intervals import Interval, mean_interval, share_interval, spearman_interval
from .joining import join, reference_ratio
from .rank_correlation import rank_correlations


@dataclass(frozen=True, slots=True)
class PredictedPair:
    """One network, measured and predicted; `error` is (predicted - measured) / measured.

    `family` and `kernels` are its `Kind`.
    """

    network: str
    digest: str
    measured_ms: float
    predicted_ms: float
    error: float
    resolution: int | None
    classes: int | None
    family: str
    kernels: str


@dataclass(frozen=True, slots=True)
class Intervals:
    """Confidence of an agreement's figures over networks of the same kind; None for too few of them."""

    mape: Interval | None
    bias: Interval | None
    within_5: Interval
    within_10: Interval
    spearman: Interval | None


@dataclass(frozen=True)
class Agreement:
    """Shares and errors as fractions; None where there is too little to tell.

    `mape`: mean of |error|. `bias`: mean error. `noise_ceiling`: the mape of one half of the measured
    rounds predicting the other, which no prediction can be expected to beat by much.
    `within_1_std`: share of truths within the prediction's standard deviation (68 % if it is right).
    `reference_drift`: reference workload now over then; away from 1 the machine itself has changed.
    `mape_without_drift`: the mape of predictions times that drift, what the prediction itself is off by.
    """

    device: str
    setting: str
    count: int
    mape: float
    bias: float
    within_5: float
    within_10: float
    spearman: float | None
    kendall: float | None
    noise_ceiling: float | None
    within_1_std: float | None
    within_2_std: float | None
    reference_drift: float | None
    mape_without_drift: float | None
    failed: int
    only_measured: int
    only_predicted: int
    intervals: Intervals
    families: tuple[Group, ...]
    kernels: tuple[Group, ...]
    pairs: tuple[PredictedPair, ...]
    """Worst first."""


def agree(measured: Sequence[LatencyRow], predicted: Sequence[LatencyRow]) -> Agreement:
    """Joins on digest, device and setting; on the network's text as well where texts share a digest.

    UserError for duplicates, mixed settings or units, empty joins and latencies that are not positive and
    finite.
    """
    joined = join(measured, predicted, ("measured", "predicted"))
    pairs, rows, failures = [], [], []
    for truth, guess in joined.rows:
        if truth.latency_ms is None or guess.latency_ms is None:
            failures.append(truth.error or "no predicted latency")
            continue
        error = (guess.latency_ms - truth.latency_ms) / truth.latency_ms
        pairs.append(
            PredictedPair(
                network=truth.network,
                digest=truth.digest,
                measured_ms=truth.latency_ms,
                predicted_ms=guess.latency_ms,
                error=error,
                resolution=truth.resolution,
                classes=truth.classes,
                **asdict(kind_of(truth)),
            )
        )
        rows.append((truth, guess))
    if not pairs:
        raise UserError(f"all that both files hold failed, the first with: {failures[0]}")
    errors, drift = [pair.error for pair in pairs], reference_ratio([(guess, truth) for truth, guess in rows])
    spearman, kendall = rank_correlations(
        [pair.measured_ms for pair in pairs], [pair.predicted_ms for pair in pairs]
    )
    return Agreement(
        device=joined.device,
        setting=joined.setting,
        count=len(pairs),
        mape=fmean(map(abs, errors)),
        bias=fmean(errors),
        within_5=_share(abs(error) <= 0.05 for error in errors),
        within_10=_share(abs(error) <= 0.10 for error in errors),
        spearman=spearman,
        kendall=kendall,
        noise_ceiling=_noise_ceiling([truth for truth, _ in rows]),
        within_1_std=_within(rows, 1),
        within_2_std=_within(rows, 2),
        reference_drift=drift,
        mape_without_drift=None if drift is None else fmean(abs((1 + e) * drift - 1) for e in errors),
        failed=len(failures),
        only_measured=len(measured) - len(joined.rows),
        only_predicted=len(predicted) - len(joined.rows),
        intervals=_intervals(pairs),
        families=group((pair.family, pair.error) for pair in pairs),
        kernels=group((pair.kernels, pair.error) for pair in pairs),
        pairs=tuple(sorted(pairs, key=lambda pair: -abs(pair.error))),
    )


def _intervals(pairs: Sequence[PredictedPair]) -> Intervals:
    errors = [pair.error for pair in pairs]
    within_5, within_10 = (
        share_interval(_share(abs(error) <= limit for error in errors), len(errors)) for limit in (0.05, 0.10)
    )
    return Intervals(
        mape=mean_interval([abs(error) for error in errors], least=0.0),
        bias=mean_interval(errors),
        within_5=within_5,
        within_10=within_10,
        spearman=spearman_interval(
            [pair.measured_ms for pair in pairs], [pair.predicted_ms for pair in pairs]
        ),
    )


def _share(flags: Any) -> float:
    return fmean(map(float, flags))


def _noise_ceiling(truths: Sequence[LatencyRow]) -> float | None:
    halves = [(row.half_a_ms, row.half_b_ms) for row in truths]
    errors = [abs(a - b) / b for a, b in halves if a is not None and b is not None]
    return fmean(errors) if errors else None


def _within(rows: Sequence[tuple[LatencyRow, LatencyRow]], stds: int) -> float | None:
    distances = [
        abs((guess.latency_ms or 0.0) - (truth.latency_ms or 0.0)) / guess.std_ms
        for truth, guess in rows
        if guess.std_ms
    ]
    return _share(distance <= stds for distance in distances) if distances else None
