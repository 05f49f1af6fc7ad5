"""Predictor: what answers for a table, chosen by what the table holds."""

from __future__ import annotations

from typing import Protocol

from ..zen.budget import Estimate, LatencyModel
from ..zen.network import Network
from .fitted.model import FittedTable
from .measured.model import TableModel
from .modelled.model import ModelledTable
from .table import LatencyTable


class Predictor(LatencyModel, Protocol):
    """A latency model that comes from a table.

    `notice`: what a user of its answers has to be told, None for a measured table. `summary`: how far to
    trust it, in half a sentence.
    """

    table: LatencyTable

    def estimate(self, network: Network) -> Estimate: ...

    @property
    def notice(self) -> str | None: ...

    @property
    def summary(self) -> str: ...


def predictor(table: LatencyTable) -> Predictor:
    """The predictor for a table: its card's model where it has one, else its measured rows."""
    if table.card.model is None:
        return TableModel(table)
    return FittedTable(table) if table.card.provenance == "fitted" else ModelledTable(table)
