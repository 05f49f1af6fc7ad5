"""Errors of a table's model on the networks that it was trained on, and how a card holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import inf
from typing import Any

import numpy as np

from .op_features import Vector

MOST = 1e15
"""No rate or time of a machine, in its unit, is larger, or smaller than its inverse."""


class ModelError(ValueError):
    """What is wrong with a model's record; the reader of the file says where."""


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


def rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Five digits of every float, as a card holds them."""
    return {
        key: float(f"{value:.5g}") if isinstance(value, float) else value for key, value in values.items()
    }


def numbers(given: Any) -> Vector:
    """Numbers in lists of any depth as an array; ModelError for anything else in them."""
    flat = [given]
    while flat:
        one = flat.pop()
        if isinstance(one, list):
            flat += one
        elif type(one) not in (int, float) or not abs(one) < MOST:
            raise ModelError("it holds something else where numbers belong")
    try:
        return np.array(given, dtype=float)
    except ValueError:
        raise ModelError("it holds lists of different lengths where a matrix belongs") from None


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
