"""TableModel: a latency table as the port that searches and predictions ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import hypot, sqrt

from ...devices.base import profile_command
from ...errors import TableError
from ...zen.graph_network import AnyNetwork
from ...zen.latency import Estimate, Part
from ...zen.workload import Workload
from ..table import LatencyTable
from .calibrated_region import CalibratedRegion, Place, place
from .cold_excess import ColdExcess
from .fill_in import MIN_ROWS, FillIn
from .network_calibration import USUAL_CACHE_MB, Calibration, calibrate, cut_terms

_MOST_KEPT = 16_384
"""So many parts are kept, so that memory stays bounded."""
_MOST_CACHE_MB = 1e6
"""A card may say anything."""


class TableModel:
    """Measured rows where there are some, learned fill-in elsewhere, calibrated on whole networks.

    Fitting takes place on construction, from the table's rows alone. A `fill_in` that was fitted to most of
    these rows already saves the longest part of that.
    """

    def __init__(self, table: LatencyTable, fill_in: FillIn | None = None) -> None:
        self.table = table
        self.device = table.card.setting.device
        self.setting = str(table.card.setting)
        rows = table.rows
        if fill_in is None and len(rows) >= MIN_ROWS:
            fill_in = FillIn(list(rows), [row.latency_ms for row in rows.values()])
        self.fill_in = fill_in
        self.excess = ColdExcess(list(rows), list(rows.values()), _cache_mb(table))
        self._parts: dict[Workload, Part] = {}
        wholes = self._networks_sums()
        self.calibration = self._calibrate(wholes)
        self._domain = CalibratedRegion(list(map(_place, wholes)))

    def block(self, workload: Workload) -> Part:
        part = self._parts.get(workload)
        if part is None:
            if len(self._parts) >= _MOST_KEPT:
                self._parts.clear()
            part = self._parts[workload] = self._part(workload)
        return part

    def _part(self, workload: Workload) -> Part:
        row = self.table.rows.get(workload)
        if row is not None:
            cold = row.cold_ms
            excess_ms = self.excess.predict(workload) if cold is None else cold - row.latency_ms
            extras = (excess_ms, *cut_terms(workload), row.std_ms)
            return Part(row.latency_ms, row.std_ms**2, row.latency_ms, extras)
        if self.fill_in is None:
            raise TableError(
                f"the table holds {len(self.table.rows)} workloads, too few to predict others (at least "
                f"{MIN_ROWS}); measure more with: {profile_command(self.table.card.setting)}"
            )
        ms, variance = self.fill_in.predict(workload)
        return Part(ms, variance, 0.0, (self.excess.predict(workload), *cut_terms(workload), sqrt(variance)))

    def total(self, whole: Part, network: Callable[[], AnyNetwork] | None = None) -> Estimate:
        *terms, std_sum = whole.extras
        sums = (whole.ms, *terms)
        ms, std_ms = self.calibration.apply(sums, whole.variance, std_sum)
        far_ms = ms * self._domain.std(_place(whole))
        return Estimate(
            ms,
            hypot(std_ms, far_ms),
            whole.measured_ms / whole.ms,
            _in_place_ms(whole, self._cold_share(whole)),
        )

    def units_ms(self, network: AnyNetwork) -> dict[Workload, float]:
        """What each unit adds to the network, in place; with repetitions they make up its plain sum."""
        parts = [(workload, self.block(workload)) for workload in network.workloads()]
        share = self._cold_share(Part.sum([part for _, part in parts]))
        return {workload: _in_place_ms(part, share) for workload, part in parts}

    def _cold_share(self, whole: Part) -> float:
        return self.calibration.cold_share((whole.ms, *whole.extras[:-1]))

    def estimate(self, network: AnyNetwork) -> Estimate:
        return self.total(Part.sum([self.block(workload) for workload in network.workloads()]))

    @property
    def notice(self) -> str | None:
        return None

    @property
    def summary(self) -> str:
        calibration = self.calibration
        if (left_out := calibration.left_out) is None:
            return "plain sums of blocks; no whole network was measured"
        return (
            f"{left_out.networks} networks left out of it are off by {left_out.mape:.1%} in the mean "
            f"({left_out.low:.1%} to {left_out.high:.1%})"
        )

    def _networks_sums(self) -> list[Part]:
        """The sums of the calibrating networks' blocks; none where rows are too few to predict others."""
        if self.fill_in is None:
            return []
        return [
            Part.sum([self.block(workload) for workload in network.workloads()])
            for network in self.table.networks
        ]

    def _calibrate(self, sums: Sequence[Part]) -> Calibration:
        if not sums:
            return calibrate([], [], [], [])
        return calibrate(
            [(whole.ms, *whole.extras[:-1]) for whole in sums],
            [whole.variance for whole in sums],
            [whole.extras[-1] for whole in sums],
            [row.latency_ms for row in self.table.networks.values()],
            _cache_mb(self.table),
        )


def _cache_mb(table: LatencyTable) -> float:
    """The last cache of the table's device, as far as its recipe tells."""
    told = table.card.recipe.get("last_cache_mb")
    if isinstance(told, int | float) and not isinstance(told, bool) and 0 < told < _MOST_CACHE_MB:
        return float(told)
    return USUAL_CACHE_MB


def _place(whole: Part) -> Place:
    _, units, _, weights_mb, _ = whole.extras
    return place(whole.ms, units, weights_mb)


def _in_place_ms(part: Part, cold_share: float) -> float:
    excess_ms, *_ = part.extras
    return part.ms + cold_share * excess_ms
