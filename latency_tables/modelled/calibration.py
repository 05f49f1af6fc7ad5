"""Calibrating a modelled table: its fit becomes the prior, a user's whole networks the observations.

Another machine or software version is first of all faster or slower as a whole, so a factor on all
coefficients is nearly free; each coefficient may also differ by itself, the more the less the published
figures said of it. One network moves the factor, further ones the coefficients that they tell apart. Tried
on simulated truths (tests/latency_tables/modelled/test_calibration.py) and, of T4 figures, on GENet's INT8
table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt

import numpy as np

from ...errors import TableError
from ..model_statistics import ErrorStatistics
from ..table import LatencyTable
from .record import CalibrationRecord, ModelRecord
from .roofline import Roofline
from .roofline_fit import Fit, Observation, Prior, unexplained

LEAST_NETWORKS = 2
_FACTOR_STD = 0.7
"""Standard deviation of the logarithm of how much slower a machine is as a whole."""
_COEFFICIENT_STD = 0.3
"""The same for one coefficient beside the rest, as between published stacks of one machine."""
_PUBLISHED_WEIGHT = 5
"""The model's noise as published counts as much as that seen on so many networks."""


def calibrate_model(
    table: LatencyTable, names: Sequence[str], observations: Sequence[Observation], created: str
) -> LatencyTable:
    """The modelled table with its coefficients drawn to these observations; raises TableError."""
    if table.card.model is None:
        raise TableError(
            f"the table of {table.card.setting.device} {table.card.setting} was measured: "
            "it calibrates itself on the whole networks that zenbench profile times"
        )
    if table.card.provenance == "fitted":
        raise TableError(
            f"the table of {table.card.setting.device} {table.card.setting} was fitted to whole networks; "
            "fit it again to all that you measured, with zenbench fit"
        )
    record = ModelRecord.from_json(table.card.model)
    if record.calibration is not None:
        raise TableError(
            "this table was calibrated already; give all measurements together, without --table, "
            "and the published fit is calibrated anew"
        )
    if len(observations) < LEAST_NETWORKS:
        raise TableError(f"a calibration needs at least {LEAST_NETWORKS} networks, not {len(observations)}")
    published = record.roofline
    size = len(published.names)
    spread = (
        published.covariance + _COEFFICIENT_STD**2 * np.eye(size) + _FACTOR_STD**2 * np.ones((size, size))
    )
    batch = table.card.setting.batch
    fit = Fit(published.machine, batch, Prior(published.log_times, spread), observations)
    left_out, spreads = fit.left_out()
    seen = unexplained(left_out, fit.observed_ms, spreads)
    count = len(observations)
    noise = sqrt((_PUBLISHED_WEIGHT * published.noise**2 + count * seen**2) / (_PUBLISHED_WEIGHT + count))
    calibration = CalibrationRecord(
        created,
        fit.trained_on(names, left_out),
        before=ErrorStatistics.of(fit.prior_ms, fit.observed_ms),
        after=ErrorStatistics.of(left_out, fit.observed_ms),
    )
    roofline = Roofline.from_log_times(published.machine, fit.log_times, fit.covariance, noise)
    model = replace(record, roofline=roofline, calibration=calibration).to_json()
    source = f"{table.card.source}; calibrated on {count} networks of a user"
    return LatencyTable(replace(table.card, created=created, source=source, model=model), {})
