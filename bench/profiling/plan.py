"""What to measure: workloads, most of them chosen by what is known so far, and whole networks.

Drawn ones are stratified: units of random networks (of a space, or of every space and relatives of known
networks) give the combinations of widths that a search will meet, and taking one from every stratum in turn
keeps the common ones (small strided stems) from crowding out the rare ones. Once some are measured, all but
one in DRAWN_EVERY of the next are chosen among the units of further random networks, by what the predictions
of these networks gain; the rest is still drawn, so that no mistake of the predictor hides a part of the space
from it. One item in NETWORK_EVERY is a whole network for calibration, spread over the session so that both
see the same machine.

What a journal holds is planned first, workloads and networks, so an interrupted profile goes on with what it
has begun, and one with another seed or space adds networks only as it adds workloads.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, islice
from math import ceil, log2

from ...latency_tables.measured.fill_in import FillIn
from ...latency_tables.measured.next_workloads import most_informative
from ...zen.graph import Conv
from ...zen.network import Network
from ...zen.random_networks import NetworkSource, random_network, random_relative
from ...zen.space import Space, spaces
from ...zen.workload import Workload
from ..measuring.in_context import UnitRows, known_workloads
from ..measuring.journal import History

NETWORK_EVERY = 12
DRAWN_EVERY = 4
LEAST_KNOWN = 24
"""Workloads drawn before any is chosen."""
GROWTH = 0.5
"""A lap of choices is this share of what is known: choosing takes a second, a few more rows change little."""
_NETWORKS_A_LAP = 24
_GAINING_NETWORKS = 60
_LAPS_WITHOUT = 10
"""A small space has no more to draw after so many laps without a new workload."""

Stratum = tuple[str | int, ...]


def sources(*chosen: Space) -> list[NetworkSource]:
    """What random networks are drawn from: spaces, or else every space and relatives of known networks."""
    drawn: list[NetworkSource] = [partial(random_network, space) for space in chosen or spaces().values()]
    return drawn if chosen else [*drawn, random_relative]


def plan(
    sources: Sequence[NetworkSource], resolutions: Sequence[int], seed: int, history: History
) -> Iterator[Workload | Network]:
    """Workloads, each once, and every NETWORK_EVERY-th item a network; ends when the space has no more.

    `history` is looked at again as it grows; a lap is chosen when its first item is asked for.
    """
    workloads = _workloads(sources, resolutions, seed, history)
    begun = [network for key, network in history.networks.items() if key not in history.hold_out]
    networks = chain(begun, _others(random_networks(sources, resolutions, seed + 1), begun))
    while group := list(islice(workloads, NETWORK_EVERY - 1)):
        yield from group
        yield from islice(networks, 1)


def _others(networks: Iterator[Network], known: Sequence[Network]) -> Iterator[Network]:
    """Networks that are not known, none twice; ends when a small space has no more."""
    seen, again = set(known), 0
    for network in networks:
        if network not in seen:
            seen.add(network)
            again = 0
            yield network
        elif (again := again + 1) > _LAPS_WITHOUT * (len(seen) + _NETWORKS_A_LAP):
            return


def _workloads(
    sources: Sequence[NetworkSource], resolutions: Sequence[int], seed: int, history: History
) -> Iterator[Workload]:
    drawn = stratified_workloads(sources, resolutions, seed)
    gaining = random_networks(sources, resolutions, seed + 3)
    planned = dict.fromkeys(known_workloads(history))
    yield from planned

    def next_drawn(count: int) -> list[Workload]:
        found = list(islice((workload for workload in drawn if workload not in planned), count))
        planned.update(dict.fromkeys(found))
        return found

    while True:
        known = {unit: row.latency_ms for unit, row in UnitRows.of(history).units().items()}
        if len(known) < LEAST_KNOWN:
            lap = next_drawn(LEAST_KNOWN)
        else:
            fill_in = FillIn(list(known), list(known.values()))
            wholes = [network.workloads() for network in islice(gaining, _GAINING_NETWORKS)]
            candidates = [unit for unit in dict.fromkeys(chain(*wholes)) if unit not in planned]
            drawn_now = next_drawn(ceil(GROWTH * len(known) / DRAWN_EVERY))
            count = (DRAWN_EVERY - 1) * len(drawn_now)
            chosen = most_informative(fill_in, list(known), candidates, wholes, count)
            planned.update(dict.fromkeys(chosen))
            size = DRAWN_EVERY - 1
            lap = [
                workload
                for number, one in enumerate(drawn_now)
                for workload in (*chosen[size * number : size * (number + 1)], one)
            ]
        if not lap:
            return
        yield from lap


def random_networks(
    sources: Sequence[NetworkSource], resolutions: Sequence[int], seed: int
) -> Iterator[Network]:
    """Random networks of the sources in turn, at the resolutions in random order; endless."""
    rng = random.Random(seed)
    while True:
        for source in sources:
            resolution = rng.choice(list(resolutions))
            yield source(resolution, _classes(resolution), rng)


def stratified_workloads(
    sources: Sequence[NetworkSource], resolutions: Sequence[int], seed: int
) -> Iterator[Workload]:
    """Units of random networks, one from every stratum in turn, none twice; ends when none is new."""
    rng = random.Random(seed)
    networks = random_networks(sources, resolutions, seed + 2)
    seen: set[Workload] = set()
    strata: dict[Stratum, list[Workload]] = {}
    laps_without = 0
    while laps_without < _LAPS_WITHOUT:
        for _ in range(_NETWORKS_A_LAP):
            for workload in next(networks).workloads():
                if workload not in seen:
                    seen.add(workload)
                    strata.setdefault(stratum(workload), []).append(workload)
        names = sorted(strata, key=str)
        rng.shuffle(names)
        laps_without = 0 if any(strata.values()) else laps_without + 1
        for name in names:
            waiting = strata[name]
            if waiting:
                yield waiting.pop(rng.randrange(len(waiting)))


def stratum(workload: Workload) -> Stratum:
    """Family, widest kernel, stride, octave of the input size and of the widest channels."""
    unit, ops = workload.unit, workload.graph().ops
    kernel = max((op.kernel for op in ops if isinstance(op, Conv)), default=1)
    width = max(op.shape[0] for op in ops if len(op.shape) == 3)
    size, stride = round(log2(workload.size)), unit.total_stride
    return (unit.family, kernel, stride, size, round(log2(width)))


def _classes(resolution: int) -> int:
    return 100 if resolution <= 64 else 1000
