"""Training-free proxies behind one signature, by name."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from ...errors import UserError
from ..network import Network
from .base import READINGS, Reading, Score
from .closed_form import zen_closed

Proxy = Callable[[Network, Reading, int, int, int], Score]
"""Network, reading, batch, repeats and seed -> score; a proxy leaves alone what it has no use for."""


def _zen(network: Network, reading: Reading, batch: int, repeats: int, seed: int) -> Score:
    from .zen_score import zen_score

    return zen_score(network, reading, batch, repeats, seed)


def _zen_closed(network: Network, reading: Reading, batch: int, repeats: int, seed: int) -> Score:
    start = perf_counter()
    value = zen_closed(network, reading)
    return Score("zen-closed", value, 0.0, 1, perf_counter() - start)


PROXIES: dict[str, Proxy] = {"zen": _zen, "zen-closed": _zen_closed}


def score(
    network: Network,
    proxy: str = "zen",
    reading: Reading = "paper",
    batch: int = 16,
    repeats: int = 1,
    seed: int = 0,
) -> Score:
    """The score of a network by the proxy of that name; raises UserError where there is none."""
    function = PROXIES.get(proxy)
    if function is None:
        raise UserError(f"there is no proxy '{proxy}'; known are {', '.join(PROXIES)}")
    if reading not in READINGS:
        raise UserError(f"there is no reading '{reading}' of the Zen-Score; known are {', '.join(READINGS)}")
    return function(network, reading, batch, repeats, seed)
