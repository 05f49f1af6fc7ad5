"""FittedTable: a table without measured rows, whose model was fitted to latencies of whole networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...errors import TableError
from ...zen.graph_network import AnyNetwork
from ...zen.latency import Estimate, Part
from ...zen.workload import Workload
from ..additive import AdditiveTable, spread
from ..table import LatencyTable
from .record import LEAST_SHARE, FittedRecord


class FittedTable(AdditiveTable):
    """The model that `zenbench fit` wrote, as the port that searches and predictions ask.

    Raises TableError for units and resolutions that the networks fitted to say nothing of.
    """

    def __init__(self, table: LatencyTable) -> None:
        self.record = FittedRecord.from_json(table.card.model)
        super().__init__(table, self.record.noise)
        carriers = self.record.features.names[: self.record.features.carriers]
        self._unseen = [(carriers.index(name), name) for name in self.record.unseen if name in carriers]

    def _unit(self, workload: Workload) -> Part:
        return self._part(self.record.features.unit(workload), workload.label)

    def total(self, whole: Part, network: Callable[[], AnyNetwork] | None = None) -> Estimate:
        # The fit bounds the corrections of a network, not those of a unit, so a part hands on what carries
        # it, and its features where a residual of the whole network reads them.
        directions = self.record.directions.shape[1]
        carried, *features = whole.extras[directions:]
        ms = max(whole.ms, LEAST_SHARE * carried)
        if self.record.residual is not None:
            ms *= 1 + float(self.record.residual.departures(np.array([features]))[0])
        return Estimate(ms, spread(whole.extras[:directions], ms, self._noise), 0.0, whole.ms)

    def _part(self, values: Sequence[float], label: str) -> Part:
        record, features = self.record, np.asarray(values)
        for place, name in self._unseen:
            if features[place]:
                raise TableError(
                    f"{label} has {name}, which none of the networks had that the table of "
                    f"{self.device} {self.setting} was fitted to; fit one to networks that have it"
                )
        shares = features * record.coefficients
        ms, carried = float(shares.sum()), float(shares[: record.features.carriers].sum())
        uncertain = (features @ record.directions).tolist()
        extras = (*uncertain, carried, *(values if record.residual is not None else ()))
        return Part(ms, spread(uncertain, ms, self._noise) ** 2, 0.0, extras)

    def estimate(self, network: AnyNetwork) -> Estimate:
        try:
            self.record.features.check(network)
        except TableError as error:
            raise TableError(
                f"{error}, to which the table of {self.device} {self.setting} was fitted"
            ) from None
        least, most = self.record.resolutions
        if not least <= network.resolution <= most:
            fitted_at = f"{least}" if least == most else f"{least} to {most}"
            raise TableError(
                f"the table of {self.device} {self.setting} was fitted to networks at {fitted_at} pixels and "
                f"says nothing of {network.resolution}; give --resolution, or fit one to such networks"
            )
        parts = [self.block(workload) for workload in network.workloads()]
        beside = self.record.features.beside(network)
        if beside is not None:
            parts.append(self._part(beside, str(network)))
        found = self.total(Part.sum(parts))
        if found.ms <= 0:
            raise TableError(
                f"the table of {self.device} {self.setting} gives {network} no time at all, which no network "
                "takes; fit one to networks that are more like it"
            )
        return found

    @property
    def typical_error(self) -> float:
        return self.record.error.median

    @property
    def notice(self) -> str:
        return (
            f"{self.device} {self.setting} is fitted to {self.record.error.networks} whole networks of "
            f"{self.record.features.space}, read as {self.record.reading}, mean error "
            f"{self.record.error.mean:.1%} on those left out"
        )

    @property
    def summary(self) -> str:
        error = self.record.error
        rank = "" if error.spearman is None else f", rank correlation {error.spearman:.3f}"
        return (
            f"left out of the fit a tenth at a time, {error.networks} networks have a median error of "
            f"{error.median:.1%} and a mean of {error.mean:.1%}{rank}"
        )
