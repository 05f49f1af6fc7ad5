"""TableDomain: the networks that the model of a table was fitted to, beyond which nobody checked it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile

from ..errors import NetworkError
from ..zen.blocks import Block
from ..zen.families import PREFIX, zoo
from ..zen.graph import Conv, GlobalAveragePool
from ..zen.network import Network, parse_text
from ..zen.outline import outline
from ..zen.search.shape_limits import narrowest
from ..zen.units.base import Unit
from ..zen.workload import Workload
from .modelled.published import PUBLICATIONS
from .op_features import kind_name, timed_ops
from .table import LatencyTable


@dataclass(frozen=True)
class TableDomain:
    """The most convolutions in a row, the least width of a block, and the kinds of operations (of
    `op_features.KINDS`) of the networks that a model was fitted to."""

    most_convolutions: int
    least_width: int
    kinds: frozenset[str]

    def knows(self, workload: Workload) -> bool:
        return _kinds(workload) <= self.kinds

    @staticmethod
    def of(networks: Iterable[Network]) -> TableDomain:
        most, least = 0, []
        kinds: set[str] = set()
        for network in networks:
            workloads = network.workloads()
            most = max(most, sum(map(_convolutions, workloads)))
            least += [_width(block) for block in network.blocks]
            kinds.update(*map(_kinds, workloads))
        return TableDomain(most, min(least), frozenset(kinds))


def table_domain(table: LatencyTable) -> TableDomain | None:
    """What a modelled or fitted table learned from, as its card names it, or else what was published for its
    device; None for a measured table, and where neither is known."""
    published = dict(_published(table.card.setting.device))
    found = [network for text in _trained_on(table) if (network := published.get(text) or _parsed(text))]
    if table.card.model is None or not (found or published):
        return None
    return TableDomain.of(found or published.values())


def _trained_on(table: LatencyTable) -> Iterator[str]:
    """What the card calls the networks, those of a calibration among them."""
    model = table.card.model or {}
    for record in (model, model.get("calibration") or {}):
        for trained in record.get("trained_on", ()):
            yield trained["network"]


def _published(device: str) -> Iterator[tuple[str, Network]]:
    for publication in PUBLICATIONS:
        if publication.setting.device == device:
            observed = (observation.network for observation in publication.observations)
            yield from zip(publication.names, observed, strict=True)


def _parsed(text: str) -> Network | None:
    try:
        return zoo(text) if text.startswith(PREFIX) else parse_text(text)
    except NetworkError:  # a file that was there when the table was fitted
        return None


def _width(block: Block | Unit) -> int:
    return narrowest([block]) if isinstance(block, Block) else block.out_channels


def _kinds(workload: Workload) -> frozenset[str]:
    return frozenset(map(kind_name, timed_ops(workload)))


def _convolutions(workload: Workload) -> int:
    """Those of a unit that follow on each other, neither in a gate nor behind the pooling."""
    trunk = outline(workload)[0].graph.trunk().ops
    before = takewhile(lambda op: not isinstance(op, GlobalAveragePool), trunk)
    return sum(isinstance(op, Conv) for op in before)
