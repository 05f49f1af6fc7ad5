"""Agreement: how well predictions hold against measurements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from ..errors import UserError
from .latency_csv import LatencyRow

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Pair:
    """One network, measured and predicted; `error` is (predicted - measured) / measured."""

    network: str
    digest: str
    measured_ms: float
    predicted_ms: float
    error: float


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
    pairs: tuple[Pair, ...]
    """Worst first."""


def agree(measured: Sequence[LatencyRow], predicted: Sequence[LatencyRow]) -> Agreement:
    """Joins on digest, device and setting.

    UserError for duplicates, mixed settings, empty joins and latencies that are not positive and finite.
    """
    truths, guesses = _index(measured, "measured"), _index(predicted, "predicted")
    keys = [key for key in truths if key in guesses]
    if not keys:
        raise UserError(_why_empty(truths, guesses))
    joined = {(device, setting) for _, device, setting in keys}
    if len(joined) > 1:
        names = " and ".join(sorted(f"{device} {setting}" for device, setting in joined))
        raise UserError(f"the files mix settings ({names}); compare one setting at a time")
    pairs, rows, failures = [], [], []
    for truth, guess in ((truths[key], guesses[key]) for key in keys):
        if truth.latency_ms is None or guess.latency_ms is None:
            failures.append(truth.error or "no predicted latency")
            continue
        error = (guess.latency_ms - truth.latency_ms) / truth.latency_ms
        pairs.append(Pair(truth.network, truth.digest, truth.latency_ms, guess.latency_ms, error))
        rows.append((truth, guess))
    if not pairs:
        raise UserError(f"all {len(failures)} networks in both files failed, the first with: {failures[0]}")
    errors, drift = [pair.error for pair in pairs], _drift(rows)
    spearman, kendall = rank_correlations(
        [pair.measured_ms for pair in pairs], [pair.predicted_ms for pair in pairs]
    )
    ((device, setting),) = joined
    return Agreement(
        device=device,
        setting=setting,
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
        only_measured=len(truths) - len(keys),
        only_predicted=len(guesses) - len(keys),
        pairs=tuple(sorted(pairs, key=lambda pair: -abs(pair.error))),
    )


def _index(rows: Sequence[LatencyRow], name: str) -> dict[Key, LatencyRow]:
    found: dict[Key, LatencyRow] = {}
    for row in rows:
        key = (row.digest, row.device, row.setting)
        if key in found:
            raise UserError(
                f"the {name} file holds {row.network} ({row.digest}) twice for {row.device} {row.setting}"
            )
        if row.latency_ms is not None and not 0 < row.latency_ms < math.inf:
            raise UserError(
                f"the {name} latency of {row.network} ({row.digest}) is {row.latency_ms:g} ms; "
                "it must be more than zero and finite"
            )
        found[key] = row
    return found


def _why_empty(truths: dict[Key, LatencyRow], guesses: dict[Key, LatencyRow]) -> str:
    common = {key[0] for key in truths} & {key[0] for key in guesses}
    if not common:
        return "the files have no network in common; predict and measure the same networks"
    one, other = (
        ", ".join(sorted({f"{device} {setting}" for digest, device, setting in side if digest in common}))
        for side in (truths, guesses)
    )
    return f"measured is for {one}, predicted for {other}; latencies of two settings are not comparable"


def _share(flags: Any) -> float:
    return fmean(map(float, flags))


def rank_correlations(xs: Sequence[float], ys: Sequence[float]) -> tuple[float | None, float | None]:
    """Spearman's rho and Kendall's tau-b; None where three pairs or two different values are wanting."""
    from scipy.stats import kendalltau, spearmanr

    if len(xs) < 3 or len(set(xs)) == 1 or len(set(ys)) == 1:
        return None, None
    return float(spearmanr(xs, ys).statistic), float(kendalltau(xs, ys).statistic)


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


def _drift(rows: Sequence[tuple[LatencyRow, LatencyRow]]) -> float | None:
    ratios = [
        truth.reference_ms / guess.reference_ms
        for truth, guess in rows
        if truth.reference_ms and guess.reference_ms
    ]
    return median(ratios) if ratios else None
