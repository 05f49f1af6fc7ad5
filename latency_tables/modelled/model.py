"""ModelledTable: a table without measured rows, whose model predicts every workload.

The sum of the units is the network: what cutting a network into units costs was never in the figures that
the model was fitted to, which are of whole networks.
"""

from __future__ import annotations

from functools import cached_property

from ...devices.base import profile_command
from ...zen.families import zoo
from ...zen.graph_network import AnyNetwork
from ...zen.latency import Estimate, Part
from ...zen.workload import Workload
from ..additive import AdditiveTable, spread
from ..table import LatencyTable
from .contradictions import Contradiction
from .record import ModelRecord


class ModelledTable(AdditiveTable):
    """A roofline fitted to published figures, as the port that searches and predictions ask."""

    def __init__(self, table: LatencyTable) -> None:
        self.record = ModelRecord.from_json(table.card.model)
        self._roofline = self.record.roofline
        super().__init__(table, self._roofline.noise)
        self._batch = table.card.setting.batch

    def _unit(self, workload: Workload) -> Part:
        ms, uncertain = self._roofline.workload(workload, self._batch)
        return Part(ms, spread(uncertain, ms, self._noise) ** 2, 0.0, tuple(uncertain))

    def estimate(self, network: AnyNetwork) -> Estimate:
        """Where published figures of this very network contradict each other, the deviation covers them."""
        found = super().estimate(network)
        distances = [abs(found.ms - figure) for figure in self._contradicted.get(network.digest, ())]
        return found._replace(std_ms=max(found.std_ms, *distances)) if distances else found

    @property
    def contradictions(self) -> tuple[Contradiction, ...]:
        """Those that the predictions rest on: none once a user's measurements have calibrated the model."""
        return () if self.record.calibration else self.record.contradictions

    @cached_property
    def _contradicted(self) -> dict[str, tuple[float, ...]]:
        """By a network's digest, the figures that sources print for it, in ms."""
        found: dict[str, tuple[float, ...]] = {}
        for one in self.contradictions:
            digest = zoo(one.network).digest
            found[digest] = (*found.get(digest, ()), one.latency_ms, one.other_ms)
        return found

    @property
    def typical_error(self) -> float:
        return self.record.typical_error

    @property
    def notice(self) -> str:
        calibration = self.record.calibration
        measured = f" and calibrated on {len(calibration.trained_on)} networks" if calibration else ""
        contradicted = ", ".join(map(str, self.contradictions))
        doubt = f"; sources contradict each other on {contradicted}" if contradicted else ""
        return (
            f"{self.device} {self.setting} is modelled from published figures{measured}, typical error "
            f"{100 * self.typical_error:.0f} %{doubt}; "
            f"measure with: {profile_command(self.table.card.setting)}"
        )

    @property
    def summary(self) -> str:
        error = self.record.calibration.after if self.record.calibration else self.record.error
        rank = "" if error.spearman is None else f", rank correlation {error.spearman:.3f}"
        return (
            f"left out of the fit in turn, {error.networks} networks have a median error of "
            f"{error.median:.1%} and a mean of {error.mean:.1%}{rank}"
        )
