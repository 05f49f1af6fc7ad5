"""Recipe: how to repeat a measurement, and the workload timed beside every round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ...devices.base import CachedDevice, Device
from ...devices.card import card
from ...errors import UserError

REFERENCE = (
    "residual(style=bottleneck,kernel=3,in_channels=128,hidden_channels=64,out_channels=128,"
    "stride=1,projection=0)@28"
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to repeat. `round_ms`: what a round aims at, within `min_runs` and `max_runs`; `window`: how many
    subjects are open at a time with their rounds interleaved.

    `cold_runs`: runs of a round that each come after `flush_mb` of other data has gone through the caches;
    none where it is not known how large the last one is. A round in which the device throttled or was
    disturbed is measured again, as long as a subject has had no more than `most_rounds` in all.
    """

    rounds: int = 3
    round_ms: float = 10.0
    min_runs: int = 3
    max_runs: int = 20
    window: int = 12
    cold_runs: int = 2
    last_cache_mb: float = 0.0

    @property
    def most_rounds(self) -> int:
        return 2 * self.rounds

    @property
    def flush_mb(self) -> float:
        """One and a half of the last cache, which does not give up the oldest first: after one of it, a tenth
        of what a cold unit waits for was still there; after two, 0 to 3 % less than after one and a half."""
        return 1.5 * self.last_cache_mb

    @property
    def is_whole(self) -> bool:
        """Whether its entries are numbers that a recipe can have."""
        return all(type(value) in (int, float) and 0 <= value <= _MOST for value in asdict(self).values())

    def adapted(self, changes: Mapping[str, Any]) -> Recipe:
        """With what a device's card asks for; raises UserError for what is no recipe."""
        usual = asdict(self)
        for name, value in changes.items():
            if name not in usual:
                raise UserError(f"a device card's recipe has no {name}; it may have {', '.join(usual)}")
            kinds, kind = ((int,), "whole number") if type(usual[name]) is int else ((int, float), "number")
            if type(value) not in kinds or not 0 < value <= _MOST:
                raise UserError(
                    f"a device card's recipe has {name} = {value!r}; it must be a {kind} above 0, "
                    f"{_MOST:,} at the most"
                )
        return replace(self, **changes)


def profile_recipe(device: Device) -> Recipe:
    """How a device's units are timed: as its card says, with its last cache flushed where it names one."""
    recipe = Recipe().adapted(card(device.name).recipe)
    if recipe.last_cache_mb > _MOST_CACHE_MB:
        raise UserError(
            f"the card of device '{device.name}' has last_cache_mb = {recipe.last_cache_mb:g}; a recipe may "
            f"have {_MOST_CACHE_MB:g} at the most"
        )
    if recipe.last_cache_mb or not isinstance(device, CachedDevice):
        return recipe
    return replace(recipe, last_cache_mb=device.last_cache_mb)


_MOST_CACHE_MB = 512.0
"""A file of twice that is written and loaded."""


_MOST = 100_000
"""Of rounds, runs, subjects and ms, so many and no more make sense in a recipe."""
