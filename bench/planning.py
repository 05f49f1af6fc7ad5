"""What to measure: workloads stratified over a space, and a few whole networks for calibration.

The plan is an endless sequence that a seed fixes, so that an interrupted profile goes on where it
stopped. Drawing units from random networks gives the combinations of widths that a search will meet;
taking one from every stratum in turn keeps the common ones (small strided stems) from crowding out
the rare ones. One item in NETWORK_EVERY is a whole network, spread over the sitting so that both see
the same machine.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from math import log2

from ..zen.graph import Conv
from ..zen.network import Network
from ..zen.random_networks import random_network
from ..zen.space import Space
from ..zen.workload import Workload

NETWORK_EVERY = 12
_NETWORKS_A_LAP = 24

Stratum = tuple[str | int, ...]


def plan(spaces: Sequence[Space], resolutions: Sequence[int], seed: int) -> Iterator[Workload | Network]:
    """Workloads, each once, and every NETWORK_EVERY-th item a network for calibration; endless."""
    workloads = stratified_workloads(spaces, resolutions, seed)
    networks = random_networks(spaces, resolutions, seed + 1)
    while True:
        for _ in range(NETWORK_EVERY - 1):
            yield next(workloads)
        yield next(networks)


def random_networks(spaces: Sequence[Space], resolutions: Sequence[int], seed: int) -> Iterator[Network]:
    """Random networks of the spaces in turn, at the resolutions in random order; endless."""
    rng = random.Random(seed)
    while True:
        for space in spaces:
            resolution = rng.choice(list(resolutions))
            yield random_network(space, resolution, _classes(resolution), rng)


def stratified_workloads(
    spaces: Sequence[Space], resolutions: Sequence[int], seed: int
) -> Iterator[Workload]:
    """Units of random networks, one from every stratum in turn, none twice; endless."""
    rng = random.Random(seed)
    networks = random_networks(spaces, resolutions, seed + 2)
    seen: set[Workload] = set()
    strata: dict[Stratum, list[Workload]] = {}
    while True:
        for _ in range(_NETWORKS_A_LAP):
            for workload in next(networks).workloads():
                if workload not in seen:
                    seen.add(workload)
                    strata.setdefault(stratum(workload), []).append(workload)
        names = sorted(strata, key=str)
        rng.shuffle(names)
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
