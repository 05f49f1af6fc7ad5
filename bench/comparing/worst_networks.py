"""Worst networks: where the milliseconds of the worst predicted networks go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...devices.base import Setting
from ...devices.card import cards
from ...errors import UserError
from ...latency_tables.predictor import Predictor, predictor
from ...latency_tables.store import find
from ...latency_tables.table import LatencyTable
from ..networks.reading import read_network
from ..tables.block_latencies import BlockLatency, block_latencies
from .agreement import Agreement, PredictedPair


@dataclass(frozen=True)
class WorstShares:
    """Where the milliseconds of the worst predictions go, by digest; or why it is not known."""

    blocks: dict[str, list[BlockLatency]]
    missing: str | None = None


def shares_of_worst(agreement: Agreement, worst: Sequence[PredictedPair], path: Path | None) -> WorstShares:
    """By the table at `path`, else by the one for the agreement's setting.

    Raises UserError where `path` holds no table of that setting; without it, that is a reason for none.
    """
    try:
        return _of_worst(predictor(_table(agreement, path)), worst)
    except UserError as error:
        if path:
            raise
        return WorstShares({}, str(error))


def _table(agreement: Agreement, path: Path | None) -> LatencyTable:
    if path is None and not agreement.setting:
        raise UserError("the files name no setting; name the table that predicted with --table")
    if path is None and agreement.device not in cards():
        raise UserError(
            f"'{agreement.device[:60]}' is no device known here; name the table that predicted with --table"
        )
    table = LatencyTable.load(path) if path else find(Setting.parse(agreement.device, agreement.setting))
    setting = table.card.setting
    if agreement.setting and (setting.device, str(setting)) != (agreement.device, agreement.setting):
        raise UserError(
            f"the table is of {setting.device} {setting}, "
            f"the files are of {agreement.device} {agreement.setting}"
        )
    return table


def _of_worst(model: Predictor, worst: Sequence[PredictedPair]) -> WorstShares:
    found = {}
    for pair in worst:
        network = read_network(pair.network, pair.resolution, pair.classes)
        if network is not None and network.digest == pair.digest:
            found[pair.digest] = block_latencies(model, network)
    return WorstShares(found, None if found else "the files do not spell the structure of these networks")
