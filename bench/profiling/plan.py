"""What to measure: workloads, most of them chosen by what is known so far, and whole networks.

Drawn ones are stratified: units of random networks (of a space, or of every space and relatives of known
networks) give the combinations of widths that a search will meet, and taking one from every stratum in turn
keeps the common ones (small strided stems) from crowding out the rare ones. Once some are measured, all but
one in DRAWN_EVERY of the next are chosen among the units of further random networks, by what the predictions
of these networks gain; the rest is still drawn, so that no mistake of the predictor hides a part of the space
from it. One item in NETWORK_EVERY is a whole network for calibration, spread over the session so that both
see the same machine: a random one and a searched one in turn, as soon as the table can predict.

Networks that are wanted come first, all their workloads, in the order of what the predictions of these gain.

What a journal holds is planned first, workloads and networks, so an interrupted profile goes on with what it
has begun, and one with another seed or space adds networks only as it adds workloads.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import chain, count, islice
from math import ceil, log2

from ...latency_tables.measured.fill_in import FillIn
from ...latency_tables.measured.model import TableModel
from ...latency_tables.measured.next_workloads import most_informative
from ...zen.graph import Conv
from ...zen.graph_network import AnyNetwork
from ...zen.network import Network
from ...zen.random_networks import NetworkSource, SpaceSource, random_relative, usual_classes
from ...zen.space import Space, spaces
from ...zen.workload import Workload
from ..measuring.in_context import UnitRows, known_workloads
from ..measuring.journal import History
from ..tables.from_journal import build_table
from .searched_networks import FRUITLESS_SEARCHES, SearchedNetworks

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
    drawn: list[NetworkSource] = [SpaceSource(space) for space in chosen or spaces().values()]
    return drawn if chosen else [*drawn, random_relative]


def searches(sources: Sequence[NetworkSource], resolutions: Sequence[int], seed: int) -> SearchedNetworks:
    """Of the spaces among the sources."""
    chosen = [source.space for source in sources if isinstance(source, SpaceSource)]
    return SearchedNetworks(chosen, resolutions, seed)


def plan(
    sources: Sequence[NetworkSource],
    resolutions: Sequence[int],
    seed: int,
    history: History,
    wanted: Sequence[AnyNetwork] = (),
) -> Iterator[Workload | Network]:
    """Workloads, each once, and every NETWORK_EVERY-th item a network; ends when the space has no more.

    The workloads of the `wanted` networks come before all others that are not begun. `history` is looked at
    again as it grows; a lap is chosen when its first item is asked for.
    """
    return _Plan(sources, resolutions, seed, history, wanted).items()


class _Plan:
    def __init__(
        self,
        sources: Sequence[NetworkSource],
        resolutions: Sequence[int],
        seed: int,
        history: History,
        wanted: Sequence[AnyNetwork],
    ) -> None:
        self._sources, self._resolutions, self._seed = sources, resolutions, seed
        self._history = history
        self._wanted = [network.workloads() for network in wanted]
        self._fill_in: FillIn | None = None
        """Of the lap."""
        self._seen = set(history.networks.values())

    def items(self) -> Iterator[Workload | Network]:
        workloads, networks = self._workloads(), self._networks()
        while group := list(islice(workloads, NETWORK_EVERY - 1)):
            yield from group
            yield from islice(networks, 1)

    def _networks(self) -> Iterator[Network]:
        """Those that were begun and others, none twice; ends when a small space has no more."""
        history = self._history
        yield from [network for key, network in history.networks.items() if key not in history.hold_out]
        drawn = self._drawn()
        searched = self._searched()
        while True:
            # Follows from the history, so that a profile in many short runs has half of each, too.
            turn = searched if len(self._seen) % 2 and self._fill_in is not None else drawn
            network = next(turn, None) or next(drawn, None)
            if network is None:
                return
            self._seen.add(network)
            yield network

    def _drawn(self) -> Iterator[Network]:
        again = 0
        for network in random_networks(self._sources, self._resolutions, self._seed + 1):
            if network not in self._seen:
                again = 0
                yield network
            elif (again := again + 1) > _LAPS_WITHOUT * (len(self._seen) + _NETWORKS_A_LAP):
                return

    def _searched(self) -> Iterator[Network]:
        """Finalists of searches against the table as it stands at each; ends when some find nothing new."""
        search = searches(self._sources, self._resolutions, self._seed + 4)
        fruitless = 0
        for number in count(len(self._seen)):
            model = TableModel(build_table(self._history), self._fill_in)
            found = [network for network in search.found(model, number) if network not in self._seen]
            fruitless = 0 if found else fruitless + 1
            if fruitless == FRUITLESS_SEARCHES:
                return
            yield from (network for network in found if network not in self._seen)

    def _workloads(self) -> Iterator[Workload]:
        sources, resolutions, seed = self._sources, self._resolutions, self._seed
        wanted = list(dict.fromkeys(chain.from_iterable(self._wanted)))
        random.Random(seed).shuffle(wanted)
        drawn = chain(iter(wanted), stratified_workloads(sources, resolutions, seed))
        gaining = random_networks(sources, resolutions, seed + 3)
        planned = dict.fromkeys(known_workloads(self._history))
        yield from planned

        def next_drawn(count: int) -> list[Workload]:
            found = list(islice((workload for workload in drawn if workload not in planned), count))
            planned.update(dict.fromkeys(found))
            return found

        while True:
            rows = UnitRows.of(self._history).units()
            known = {unit: row.latency_ms for unit, row in rows.items()}
            if len(known) < LEAST_KNOWN:
                lap = next_drawn(LEAST_KNOWN)
            elif left := [unit for unit in wanted if unit not in planned]:
                fill_in = self._fill_in = FillIn(list(known), list(known.values()))
                lap = most_informative(fill_in, list(known), left, self._wanted, ceil(GROWTH * len(known)))
                planned.update(dict.fromkeys(lap))
            else:
                fill_in = self._fill_in = FillIn(list(known), list(known.values()))
                wholes = [network.workloads() for network in islice(gaining, _GAINING_NETWORKS)]
                candidates = [unit for unit in dict.fromkeys(chain(*wholes)) if unit not in planned]
                drawn_now = next_drawn(ceil(GROWTH * len(known) / DRAWN_EVERY))
                size = DRAWN_EVERY - 1
                chosen = most_informative(fill_in, list(known), candidates, wholes, size * len(drawn_now))
                planned.update(dict.fromkeys(chosen))
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
            yield source(resolution, usual_classes(resolution), rng)


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
