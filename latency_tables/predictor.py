"""Predictor: what answers for a table, chosen by what the table holds."""

from __future__ import annotations

from typing import Protocol

from ..errors import TableError
from ..zen.graph_network import AnyNetwork
from ..zen.latency import Estimate, LatencyModel
from ..zen.workload import Workload
from .fitted.model import FittedTable
from .measured.model import TableModel
from .model_statistics import ModelError
from .modelled.model import ModelledTable
from .table import LatencyTable
from .table_files import card_path


class Predictor(LatencyModel, Protocol):
    """A latency model that comes from a table.

    `notice`: what a user of its answers has to be told, None for a measured table. `summary`: how far to
    trust it, in half a sentence.
    """

    table: LatencyTable

    def estimate(self, network: AnyNetwork) -> Estimate: ...

    def units_ms(self, network: AnyNetwork) -> dict[Workload, float]: ...

    @property
    def notice(self) -> str | None: ...

    @property
    def summary(self) -> str: ...


def predictor(table: LatencyTable) -> Predictor:
    """The predictor for a table: its card's model where it has one, else its measured rows.

    Raises TableError for a damaged model: of the form of a table, a model is only text.
    """
    if table.card.model is None:
        return TableModel(table)
    try:
        return FittedTable(table) if table.card.provenance == "fitted" else ModelledTable(table)
    except ModelError as error:
        place = f"card {card_path(table.path)}" if table.path else "the table's card"
        raise TableError(
            f"{place} holds a damaged model: {error}; remove its table, or install zenbench again"
        ) from None
