"""ModelledTable: a table without measured rows, whose model predicts every workload.

The sum of the units is the network: what cutting a network into units costs was never in the figures that
the model was fitted to, which are of whole networks.
"""

from __future__ import annotations

from collections.abc import Callable

from ..zen.budget import Estimate, Part
from ..zen.network import Network
from ..zen.workload import Workload
from .model_record import ModelRecord
from .roofline import spread
from .table import LatencyTable

_MOST_KEPT = 65_536
"""So many parts are kept, so that memory stays bounded."""


class ModelledTable:
    """The model in a table's card as the port that searches and predictions ask.

    A part's `extras` are its derivatives by independent directions of the coefficients: errors that units
    have in common add up before they are squared. The rest of the model's error is taken as common too,
    which whole networks cannot contradict.
    """

    def __init__(self, table: LatencyTable) -> None:
        self.table = table
        setting = table.card.setting
        self.device, self.setting, self._batch = setting.device, str(setting), setting.batch
        self.record = ModelRecord.from_json(table.card.model)
        self._roofline = self.record.roofline
        self._parts: dict[Workload, Part] = {}

    def block(self, workload: Workload) -> Part:
        part = self._parts.get(workload)
        if part is None:
            if len(self._parts) >= _MOST_KEPT:
                self._parts.clear()
            ms, uncertain = self._roofline.workload(workload, self._batch)
            std_ms = spread(uncertain, ms, self._roofline.noise)
            part = self._parts[workload] = Part(ms, std_ms**2, 0.0, tuple(uncertain))
        return part

    def total(self, whole: Part, network: Callable[[], Network] | None = None) -> Estimate:
        return Estimate(whole.ms, spread(whole.extras, whole.ms, self._roofline.noise), 0.0, whole.ms)

    def estimate(self, network: Network) -> Estimate:
        return self.total(Part.sum([self.block(workload) for workload in network.workloads()]))

    @property
    def notice(self) -> str:
        calibration = self.record.calibration
        measured = f" and calibrated on {len(calibration.trained_on)} networks" if calibration else ""
        return (
            f"{self.device} {self.setting} is modelled from published figures{measured}, typical error "
            f"{100 * self.record.typical_error:.0f} %; measure with: zenbench profile --device {self.device}"
        )

    @property
    def summary(self) -> str:
        error = self.record.calibration.after if self.record.calibration else self.record.error
        rank = "" if error.spearman is None else f", rank correlation {error.spearman:.3f}"
        return (
            f"left out of the fit in turn, {error.networks} networks have a median error of "
            f"{error.median:.1%} and a mean of {error.mean:.1%}{rank}"
        )
