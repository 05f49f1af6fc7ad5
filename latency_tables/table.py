"""LatencyTable: measured workloads of one setting, with the card that says where they come from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import TableError
from ..zen.network import Network
from ..zen.workload import Workload
from .card import TableCard
from .row import VERDICTS, Row
from .table_files import TableRows, read_files, write_files


@dataclass(frozen=True)
class LatencyTable:
    """Rows of one setting: workloads, and whole networks measured in the same sessions.

    Predictions are calibrated on `networks`; `hold_out` is never learned from, so that it tells how true the
    predictions are. `path`: the file that it was read from.
    """

    card: TableCard
    rows: Mapping[Workload, Row]
    networks: Mapping[Network, Row] = field(default_factory=dict)
    hold_out: Mapping[Network, Row] = field(default_factory=dict)
    path: Path | None = field(default=None, compare=False)

    def merged_with(self, other: LatencyTable) -> LatencyTable:
        """Both tables' rows, the same workload averaged by rounds; raises TableError for other settings."""
        mine, theirs = self.card, other.card
        for card in (mine, theirs):
            if card.model is not None:
                raise TableError(
                    f"a {card.provenance} table does not merge: it has no rows; give measured tables only"
                )
        if mine.setting != theirs.setting:
            raise TableError(f"tables of two settings do not merge: {mine.setting} and {theirs.setting}")
        if dict(mine.identity) != dict(theirs.identity):
            raise TableError("tables of two machines do not merge: their cards name different identities")
        caches = [card.recipe.get("last_cache_mb") for card in (mine, theirs)]
        if caches[0] != caches[1]:
            raise TableError(
                "tables whose cold runs had caches of two sizes before them do not merge; measure one of "
                "them anew with zenbench profile"
            )
        if mine.basis != theirs.basis:
            raise TableError(
                "a table of workloads timed in context does not merge with one of workloads timed alone; "
                "measure the older one anew with zenbench profile"
            )
        networks = _merge(self.networks, other.networks)
        hold_out = _merge(self.hold_out, other.hold_out)
        # What one of the two learned from is held out no more.
        unseen = {network: row for network, row in hold_out.items() if network not in networks}
        return LatencyTable(mine, _merge(self.rows, other.rows), networks, unseen)

    def save(self, path: Path) -> None:
        """Writes the three files, each whole or not at all, the card last."""
        write_files(path, self.card, TableRows(self.rows, self.networks, self.hold_out))

    @staticmethod
    def load(path: Path) -> LatencyTable:
        """The table at `path` (its CSV); raises TableError in one sentence for whatever is wrong.

        A model in its card is not looked at: `predictor` does that.
        """
        card, (rows, networks, hold_out) = read_files(path)
        return LatencyTable(card, rows, networks, hold_out, path)


def _merge(mine: Mapping[Any, Row], theirs: Mapping[Any, Row]) -> dict[Any, Row]:
    merged = dict(mine)
    for key, row in theirs.items():
        mine_of_it = merged.get(key)
        if mine_of_it is None or mine_of_it.basis == row.basis:
            merged[key] = _average(mine_of_it, row) if mine_of_it else row
        elif row.basis is None:
            merged[key] = row  # as the table's other rows, which says more
    return merged


def _average(one: Row, two: Row) -> Row:
    rounds = one.rounds + two.rounds
    share = one.rounds / rounds

    def mix(a: float, b: float) -> float:
        return share * a + (1 - share) * b

    return Row(
        latency_ms=mix(one.latency_ms, two.latency_ms),
        median_ms=mix(one.median_ms, two.median_ms),
        # Two sessions that disagree are less sure than either of them says.
        spread=math.hypot(
            mix(one.spread, two.spread),
            abs(one.latency_ms - two.latency_ms) / (one.latency_ms + two.latency_ms),
        ),
        rounds=rounds,
        runs=one.runs + two.runs,
        verdict=max(one.verdict, two.verdict, key=VERDICTS.index),
        cold_ms=_cold_ms(one, two, mix(one.latency_ms, two.latency_ms)),
        basis=one.basis,
    )


def _cold_ms(one: Row, two: Row, latency_ms: float) -> float | None:
    """The mean latency with the mean excess of those that have one."""
    excess = [row.cold_ms - row.latency_ms for row in (one, two) if row.cold_ms is not None]
    return latency_ms + sum(excess) / len(excess) if excess else None
