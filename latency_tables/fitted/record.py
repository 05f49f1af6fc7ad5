"""FittedRecord: the model in a fitted table's card: coefficients, what they were fitted to, and its error."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...errors import TableError
from ..model_statistics import (
    MOST,
    ErrorStatistics,
    ModelError,
    Trained,
    numbers,
    read_statistics,
    read_trained,
    rounded,
)
from ..op_features import Vector
from .cell_features import CONVERTED
from .features import WholeFeatures, readings_of
from .residual import Residual

KIND = "whole-network"
VERSION = 3
"""3 may have a residual; 2 names the reading of what runs; in version 1 there was one, converted."""
_READ = (1, 2, VERSION)
LEAST_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class FittedRecord:
    """A space's features with the ms that one unit of each takes.

    `directions`: a column for each independent direction in which the coefficients are uncertain. `unseen`:
    features that no network had. `noise`: relative error of a network at coefficients known exactly.
    `resolutions`: the least and the most of the networks. `error`: of networks left out, a tenth at a time.
    `readings`: the mean error of networks left out by each reading of what runs that was tried. `residual`:
    what the sum over units leaves, where learning it made networks left out more exact.
    """

    features: WholeFeatures
    coefficients: Vector
    directions: Vector
    unseen: tuple[str, ...]
    noise: float
    resolutions: tuple[int, int]
    error: ErrorStatistics
    trained_on: tuple[Trained, ...]
    readings: Mapping[str, float]
    residual: Residual | None = None

    @property
    def reading(self) -> str:
        """What of a network is taken to run, and whether a residual is learned beside it."""
        return self.features.reading + " + residual" * (self.residual is not None)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": KIND,
            "version": VERSION,
            "space": self.features.space,
            "reading": self.features.reading,
            "readings_left_out_error": rounded(dict(self.readings)),
            "coefficients": {
                name: {"ms": _short(ms), "directions": [_short(value) for value in direction]}
                for name, ms, direction in zip(
                    self.features.names, self.coefficients.tolist(), self.directions.tolist(), strict=True
                )
            },
            **({"residual": self.residual.to_json(self.features.names)} if self.residual else {}),
            "unseen": list(self.unseen),
            "noise": _short(self.noise),
            "resolutions": list(self.resolutions),
            "left_out_error": rounded(asdict(self.error)),
            "trained_on": [rounded(asdict(one)) for one in self.trained_on],
        }

    @staticmethod
    def from_json(record: Any) -> FittedRecord:
        """The record that `to_json` wrote; raises ModelError for anything else."""
        if not isinstance(record, Mapping) or record.get("kind") != KIND:
            raise ModelError(f"it is no model of the kind {KIND}")
        if record.get("version") not in _READ:
            raise ModelError(f"its version is {record.get('version')!r}; this zenbench reads 1 to {VERSION}")
        try:
            readings = {one.reading: one for one in readings_of(str(record.get("space")))}
        except TableError as error:
            raise ModelError(str(error)) from None
        reading = record.get("reading", CONVERTED if record.get("version") == 1 else None)
        if not isinstance(reading, str) or reading not in readings:
            raise ModelError(f"its reading is {reading!r}; known are {', '.join(readings)}")
        features = readings[reading]
        coefficients, directions = _coefficients(record.get("coefficients"), features.names)
        residual = record.get("residual")
        noise, resolutions, unseen = record.get("noise"), record.get("resolutions"), record.get("unseen")
        if not isinstance(noise, float) or not 0 < noise < MOST:
            raise ModelError(f"its noise is {noise!r}, no possible number")
        if not isinstance(unseen, list) or not set(map(str, unseen)) <= set(features.names):
            raise ModelError("its unseen must be names of coefficients")
        if (
            not isinstance(resolutions, list)
            or [type(one) for one in resolutions] != [int, int]
            or not 1 <= resolutions[0] <= resolutions[1]
        ):
            raise ModelError("its resolutions must be the least and the most")
        return FittedRecord(
            features=features,
            coefficients=coefficients,
            directions=directions,
            unseen=tuple(unseen),
            noise=noise,
            resolutions=(resolutions[0], resolutions[1]),
            error=read_statistics(record.get("left_out_error"), "left_out_error"),
            trained_on=read_trained(record.get("trained_on")),
            readings=_readings(record.get("readings_left_out_error", {}), readings),
            residual=Residual.from_json(residual, features.names) if residual is not None else None,
        )


def fitted_ms(features: Vector, coefficients: Vector, carriers: int) -> Vector:
    """Latencies of rows of features. Corrections, which are linear, never take more than half of what they
    correct: far from what was measured they would turn it upside down."""
    shares = features * coefficients
    carried = shares[..., :carriers].sum(-1)
    found: Vector = np.maximum(shares.sum(-1), LEAST_SHARE * carried)
    return found


def _readings(given: Any, known: Container[str]) -> Mapping[str, float]:
    if not isinstance(given, Mapping) or not all(
        name in known and isinstance(error, float) and 0 <= error < MOST for name, error in given.items()
    ):
        raise ModelError("its readings_left_out_error must be an error for each reading")
    return dict(given)


def _short(value: float) -> float:
    return float(f"{value:.7g}")


def _coefficients(given: Any, names: tuple[str, ...]) -> tuple[Vector, Vector]:
    if not isinstance(given, Mapping) or set(given) != set(names):
        raise ModelError(f"its coefficients must be {', '.join(names)}")
    try:
        ms = numbers([given[name]["ms"] for name in names])
        directions = numbers([given[name]["directions"] for name in names])
    except (TypeError, KeyError, ModelError):
        raise ModelError("every coefficient must have ms and directions, which are numbers") from None
    if directions.ndim != 2 or ms.ndim != 1:
        raise ModelError("every coefficient must have ms and as many directions, of possible sizes")
    return ms, directions
