"""Contradiction: two published figures of one network and setting, further apart than sources usually are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import inf
from typing import Any

from ...zen.families import PREFIX, zoo_names
from ..model_statistics import ModelError, rounded

LEAST_RATIO = 1.25
"""Sources that agree are closer: where two print one network for one GPU, runtime, precision and batch of 64,
the larger figure is 1.03 to 1.20 times the smaller (3 networks on the T4 in INT8, 2 on the V100)."""


@dataclass(frozen=True)
class Contradiction:
    """`latency_ms` is what the fit's own source prints, `other_ms` what `other_source` prints; for one run
    of the batch."""

    network: str
    latency_ms: float
    other_ms: float
    other_source: str

    def __str__(self) -> str:
        return f"{self.network} ({self.latency_ms:.3g} ms, {self.other_ms:.3g} by {self.other_source})"

    def to_json(self) -> dict[str, Any]:
        return rounded(asdict(self))


def contradict(first_ms: float, second_ms: float) -> bool:
    """Whether two sources' figures are further apart than sources usually are."""
    return max(first_ms, second_ms) > LEAST_RATIO * min(first_ms, second_ms)


def read_contradictions(given: Any) -> tuple[Contradiction, ...]:
    """The contradictions in a card, none where a card has no such entry; raises ModelError."""
    names = {field.name for field in fields(Contradiction)}
    if not isinstance(given, list) or not all(
        isinstance(one, Mapping) and set(one) == names for one in given
    ):
        raise ModelError(f"its contradictions must be a list with {', '.join(sorted(names))}")
    for one in given:
        figures = (one["latency_ms"], one["other_ms"])
        if not all(type(figure) in (int, float) and 0 < figure < inf for figure in figures):
            raise ModelError(f"its contradiction of {one['network']} has an impossible latency")
        if not all(isinstance(one[name], str) for name in ("network", "other_source")):
            raise ModelError("its contradictions must name a network and a source")
        if one["network"].removeprefix(PREFIX) not in zoo_names():
            raise ModelError(f"its contradictions name {one['network']}, no network of the zoo")
    return tuple(Contradiction(**one) for one in given)
