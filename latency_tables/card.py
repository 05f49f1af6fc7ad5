"""Card: what makes a table's numbers mean something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..devices.base import Setting
from .row import Basis

SCHEMA = "zenbench-table/1"


Provenance = Literal["measured", "fitted", "modelled"]


@dataclass(frozen=True)
class TableCard:
    """What makes a table's numbers mean something.

    `reference`, `reference_ms`: the workload timed beside every round; None where none was, as in what
    other tools measured. `recipe` is empty where it is not known. `imported`: what files of other tools
    state beside their latencies, by file, such as the share of nodes `delegated`. A `modelled` or `fitted`
    table has neither, and no rows but a `model`: see `ModelRecord` and `FittedRecord`. `basis`: how its
    workloads were timed.
    """

    setting: Setting
    provenance: Provenance
    identity: Mapping[str, str]
    versions: Mapping[str, str]
    recipe: Mapping[str, Any]
    reference: str | None
    reference_ms: float | None
    created: str
    source: str
    imported: Mapping[str, Mapping[str, float]] | None = None
    model: Mapping[str, Any] | None = None
    basis: Basis = "alone"


def basis_text(card: TableCard) -> str:
    """How a table's workloads were timed, as people say it."""
    return card.basis.replace("-", " ")
