"""ModelRecord: the model in a table's card, with what it was fitted to and its error on networks left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..model_statistics import ErrorStatistics, ModelError, Trained, read_statistics, read_trained, rounded
from .contradictions import Contradiction, read_contradictions
from .roofline import Roofline


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
    """A model, the published networks behind it, the error of leaving each of them out, and a calibration.

    `contradictions`: networks for which another source prints another figure.
    """

    roofline: Roofline
    trained_on: tuple[Trained, ...]
    error: ErrorStatistics
    calibration: CalibrationRecord | None = None
    contradictions: tuple[Contradiction, ...] = ()

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
        if self.contradictions:
            record["contradictions"] = [one.to_json() for one in self.contradictions]
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
        contradictions = read_contradictions(record.get("contradictions", []))
        given = record.get("calibration")
        if given is None:
            return ModelRecord(roofline, trained_on, error, contradictions=contradictions)
        if not isinstance(given, Mapping) or not isinstance(given.get("created"), str):
            raise ModelError("its calibration does not say when it was made")
        calibration = CalibrationRecord(
            given["created"],
            read_trained(given.get("trained_on")),
            read_statistics(given.get("error_before"), "error_before"),
            read_statistics(given.get("left_out_error_after"), "left_out_error_after"),
        )
        return ModelRecord(roofline, trained_on, error, calibration, contradictions)
