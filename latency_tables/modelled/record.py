"""ModelRecord: the model in a table's card, with what it was fitted to and its error on networks left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import inf
from typing import Any

import numpy as np

from ..op_features import Vector
from .roofline import ModelError, Roofline


@dataclass(frozen=True)
class ErrorStatistics:
    """Relative errors of predictions; `spearman` is None below three networks, and where all
    predictions or all observations are equal."""

    networks: int
    median: float
    mean: float
    spearman: float | None

    @staticmethod
    def of(predicted_ms: Vector, observed_ms: Vector) -> ErrorStatistics:
        errors = np.abs(predicted_ms / observed_ms - 1)
        ranks = [_ranks(values) for values in (predicted_ms, observed_ms)]
        ordered = len(errors) > 2 and all(np.ptp(values) > 0 for values in ranks)
        spearman = float(np.corrcoef(ranks[0], ranks[1])[0, 1]) if ordered else None
        return ErrorStatistics(len(errors), float(np.median(errors)), float(errors.mean()), spearman)


def _ranks(values: Vector) -> Vector:
    """Places in order, equal values sharing the mean of theirs. Importing SciPy's takes longer than a fit."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    found: Vector = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return found


@dataclass(frozen=True)
class Trained:
    """A network that a model was fitted to: its name, what was observed, what the model says, and what it
    said when this network was left out of the fit; for one run of the batch."""

    network: str
    latency_ms: float
    predicted_ms: float
    left_out_ms: float


@dataclass(frozen=True)
class CalibrationRecord:
    """What a user's measurements did to a model: their networks, and its error on them as it was published
    and, each network left out in turn, after calibration."""

    created: str
    trained_on: tuple[Trained, ...]
    before: ErrorStatistics
    after: ErrorStatistics


@dataclass(frozen=True)
class ModelRecord:
    """A model, the published networks behind it, the error of leaving each of them out, and a calibration."""

    roofline: Roofline
    trained_on: tuple[Trained, ...]
    error: ErrorStatistics
    calibration: CalibrationRecord | None = None

    @property
    def newest(self) -> tuple[Trained, ...]:
        """What the newest fit was trained on."""
        return self.calibration.trained_on if self.calibration else self.trained_on

    @property
    def typical_error(self) -> float:
        """The median relative error on networks left out, of the newest fit."""
        return (self.calibration.after if self.calibration else self.error).median

    def to_json(self) -> dict[str, Any]:
        record = self.roofline.to_json()
        record["left_out_error"] = rounded(asdict(self.error))
        record["trained_on"] = [rounded(asdict(one)) for one in self.trained_on]
        if self.calibration:
            calibration = self.calibration
            record["calibration"] = {
                "created": calibration.created,
                "error_before": rounded(asdict(calibration.before)),
                "left_out_error_after": rounded(asdict(calibration.after)),
                "trained_on": [rounded(asdict(one)) for one in calibration.trained_on],
            }
        return record

    @staticmethod
    def from_json(record: Any) -> ModelRecord:
        """The record that `to_json` wrote; raises ModelError for anything else."""
        roofline = Roofline.from_json(record)
        error = read_statistics(record.get("left_out_error"), "left_out_error")
        trained_on = read_trained(record.get("trained_on"))
        given = record.get("calibration")
        if given is None:
            return ModelRecord(roofline, trained_on, error)
        if not isinstance(given, Mapping) or not isinstance(given.get("created"), str):
            raise ModelError("its calibration does not say when it was made")
        calibration = CalibrationRecord(
            given["created"],
            read_trained(given.get("trained_on")),
            read_statistics(given.get("error_before"), "error_before"),
            read_statistics(given.get("left_out_error_after"), "left_out_error_after"),
        )
        return ModelRecord(roofline, trained_on, error, calibration)


def rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Five digits of every float, as a card holds them."""
    return {
        key: float(f"{value:.5g}") if isinstance(value, float) else value for key, value in values.items()
    }


def read_statistics(given: Any, name: str) -> ErrorStatistics:
    """The error statistics in a card; raises ModelError."""
    try:
        found = ErrorStatistics(**given)
    except TypeError:
        raise ModelError(f"its {name} must have networks, median, mean, spearman") from None
    shares = (found.median, found.mean)
    plausible = type(found.networks) is int and found.networks >= 1
    plausible = plausible and all(type(share) in (int, float) and 0 <= share < inf for share in shares)
    rank = found.spearman
    if not plausible or not (rank is None or (type(rank) in (int, float) and -1 <= rank <= 1.0001)):
        raise ModelError(f"its {name} holds an impossible value")
    return found


def read_trained(given: Any) -> tuple[Trained, ...]:
    """The networks in a card that a model was trained on; raises ModelError."""
    if not isinstance(given, list) or not given:
        raise ModelError("it does not say what it was trained on")
    try:
        found = tuple(Trained(**one) for one in given)
    except TypeError:
        names = ", ".join(field.name for field in fields(Trained))
        raise ModelError(f"a network that it was trained on must have {names}") from None
    for one in found:
        figures = (one.latency_ms, one.predicted_ms, one.left_out_ms)
        numbers = isinstance(one.network, str) and all(type(figure) in (int, float) for figure in figures)
        # Left out, a network like no other may be predicted to take no time.
        if not numbers or not one.latency_ms > 0 or not all(0 <= figure < inf for figure in figures):
            raise ModelError(f"it was trained on an impossible latency of {one.network}")
    return found
