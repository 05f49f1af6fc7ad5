"""Run against run: whether the same networks take longer now than they did before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from ...errors import UserError
from ...quantities import count_of
from ..latency_files.latency_rows import LatencyRow
from . import signed_rank
from .breakdown import kind_of
from .intervals import Interval
from .joining import join, reference_ratio

SIGNIFICANT = 0.05
"""So often would equal runs be called different."""
_QUARTILES_KNOW = 0.37
"""A deviation by quartiles, as rows have it, is known as well as the usual one from 37 % of the values."""
_DEVICE_WIDE = 0.5
"""Where the reference changed by at least this share of the networks' change, the device did."""


@dataclass(frozen=True, slots=True)
class _Noise:
    """Standard error of the logarithm of a ratio, and the degrees of freedom that it is known with."""

    std: float
    freedom: float


@dataclass(frozen=True, slots=True)
class _Typical:
    """The change of the typical network, and how surely it is one: the fields of a `RunComparison`."""

    change: float
    interval: Interval | None
    p_value: float | None
    test: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """One network before and after; `change` is after over before, less 1.

    `noise`: standard error of the change by the rows' own deviations; None where a row has none.
    `beyond_noise`: whether it changed by more than that, with all networks watched at once (Holm, 1979).
    """

    network: str
    digest: str
    before_ms: float
    after_ms: float
    change: float
    noise: float | None
    beyond_noise: bool


@dataclass(frozen=True, slots=True)
class KindChange:
    """The median change of the networks with one mix of kernels."""

    name: str
    count: int
    change: float


@dataclass(frozen=True)
class RunComparison:
    """The change of the typical network, and how surely it is one.

    `change`: what the test is about, so that they agree: the middle of the signed ranks, with fewer than six
    networks the geometric mean.
    `p_value`: how often equal runs on a steady machine differ as much; None where nothing tells. What the
    machine did in the minutes of either run counts as a change.
    `test`: `signed-rank` (Wilcoxon, over networks) or, with fewer than six, `own noise` (of the rows).
    `reference_change`: of the reference workload, timed beside all networks of each run.
    `not_quiet`: networks whose row is called noisy or throttled in a run.
    """

    device: str
    setting: str
    versions_before: str | None
    versions_after: str | None
    count: int
    change: float
    interval: Interval | None
    p_value: float | None
    test: str | None
    noise: float | None
    slower: int
    faster: int
    reference_change: float | None
    not_quiet: int
    failed: int
    only_before: int
    only_after: int
    kernels: tuple[KindChange, ...]
    changes: tuple[Change, ...]
    """Largest first."""

    @property
    def significant(self) -> bool:
        return self.p_value is not None and self.p_value < SIGNIFICANT

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.p_value is None:
            return (
                f"Too little to tell: {self.change:+.1%} over {count_of(self.count, 'network')}; "
                f"{signed_rank.LEAST} are needed, or deviations of the rows."
            )
        reach = f" ({self.interval.low:+.1%} to {self.interval.high:+.1%})" if self.interval else ""
        found = f"{self.change:+.1%}{reach} over {count_of(self.count, 'network')}, p = {self.p_value:.2g}"
        if not self.significant:
            return f"No difference beyond chance: {found}."
        word = "Slower" if self.change > 0 else "Faster"
        return f"{word}: {found}{self._cause()}{self._versions()}."

    def _cause(self) -> str:
        if self.reference_change is None or not self.change:
            return ""
        whole = self.reference_change / self.change >= _DEVICE_WIDE
        so = "the device as a whole changed" if whole else "the device as a whole did not change as much"
        return f"; the reference workload {self.reference_change:+.1%}, so {so}"

    def _versions(self) -> str:
        before, after = ((text or "").split(", ") for text in (self.versions_before, self.versions_after))
        then = ", ".join(one for one in before if one not in after)
        now = ", ".join(one for one in after if one not in before)
        return f"; {then} then, {now} now" if then and now else ""


def compare_runs(before: Sequence[LatencyRow], after: Sequence[LatencyRow]) -> RunComparison:
    """Joins two measurements of the same networks in the same setting; versions may differ.

    UserError as for `join`, and where no network was measured both times.
    """
    joined = join(before, after, ("before", "after"))
    rows = [pair for pair in joined.rows if pair[0].latency_ms is not None and pair[1].latency_ms is not None]
    if not rows:
        reasons = [row.error or "no latency" for pair in joined.rows for row in pair if not row.latency_ms]
        raise UserError(f"no network was measured both times; the first failed with: {reasons[0]}")
    ratios = [_ratio(*pair) for pair in rows]
    logs = [math.log(ratio) for ratio in ratios]
    noises = [_noise(*pair) for pair in rows]
    beyond = _beyond_noise(logs, noises)
    changes = [
        Change(
            one.network,
            one.digest,
            one.latency_ms or 0.0,
            other.latency_ms or 0.0,
            ratio - 1,
            noise.std if noise else None,
            flag,
        )
        for (one, other), ratio, noise, flag in zip(rows, ratios, noises, beyond, strict=True)
    ]
    known = [noise.std for noise in noises if noise is not None]
    typical, reference = _typical(logs, noises), reference_ratio(rows)
    return RunComparison(
        device=joined.device,
        setting=joined.setting,
        versions_before=_versions([one for one, _ in rows]),
        versions_after=_versions([other for _, other in rows]),
        count=len(rows),
        change=typical.change,
        interval=typical.interval,
        p_value=typical.p_value,
        test=typical.test,
        noise=median(known) if known else None,
        slower=sum(one.beyond_noise and one.change > 0 for one in changes),
        faster=sum(one.beyond_noise and one.change < 0 for one in changes),
        reference_change=None if reference is None else reference - 1,
        not_quiet=sum(any(one.verdict not in (None, "quiet") for one in pair) for pair in rows),
        failed=len(joined.rows) - len(rows),
        only_before=len(before) - len(joined.rows),
        only_after=len(after) - len(joined.rows),
        kernels=_by_kernels(rows, ratios),
        changes=tuple(sorted(changes, key=lambda one: -abs(one.change))),
    )


def _ratio(before: LatencyRow, after: LatencyRow) -> float:
    return (after.latency_ms or math.nan) / (before.latency_ms or math.nan)


def _noise(before: LatencyRow, after: LatencyRow) -> _Noise | None:
    if not before.std_ms or not after.std_ms or not before.latency_ms or not after.latency_ms:
        return None
    std = math.hypot(before.std_ms / before.latency_ms, after.std_ms / after.latency_ms)
    rounds = (before.rounds or 0) + (after.rounds or 0)
    if not std:  # less than a float can say
        return None
    return _Noise(std, _QUARTILES_KNOW * (rounds - 2) if rounds > 2 else math.inf)


def _typical(logs: Sequence[float], noises: Sequence[_Noise | None]) -> _Typical:
    if len(logs) >= signed_rank.LEAST:
        reach = signed_rank.middle_interval(logs)
        interval = Interval(math.expm1(reach.low), math.expm1(reach.high))
        middle, chance = signed_rank.middle(logs), signed_rank.chance_of_side(logs)
        return _Typical(math.expm1(middle), interval, chance, "signed-rank")
    change, known = math.expm1(fmean(logs)), [noise for noise in noises if noise is not None]
    if len(known) < len(logs):
        return _Typical(change, None, None, None)
    return _Typical(change, None, _chance(sum(logs), _together(known)), "own noise")


def _together(noises: Sequence[_Noise]) -> _Noise:
    """The noise of a sum (Satterthwaite, 1946)."""
    std = math.hypot(*(noise.std for noise in noises))
    doubt = sum((noise.std / std) ** 4 / noise.freedom for noise in noises)
    return _Noise(std, 1 / doubt if doubt else math.inf)


def _chance(distance: float, noise: _Noise) -> float:
    from scipy.stats import t

    return float(2 * t.sf(abs(distance) / noise.std, noise.freedom))


def _beyond_noise(logs: Sequence[float], noises: Sequence[_Noise | None]) -> list[bool]:
    chances = {
        index: _chance(log, noise)
        for index, (log, noise) in enumerate(zip(logs, noises, strict=True))
        if noise is not None
    }
    flags = [False] * len(logs)
    for done, index in enumerate(sorted(chances, key=lambda index: chances[index])):
        if chances[index] > SIGNIFICANT / (len(chances) - done):
            break
        flags[index] = True
    return flags


def _versions(rows: Sequence[LatencyRow]) -> str | None:
    found = dict.fromkeys(row.versions for row in rows if row.versions)
    return " or ".join(found) or None


def _by_kernels(
    rows: Sequence[tuple[LatencyRow, LatencyRow]], ratios: Sequence[float]
) -> tuple[KindChange, ...]:
    by_name: dict[str, list[float]] = {}
    for (before, _), ratio in zip(rows, ratios, strict=True):
        by_name.setdefault(kind_of(before).kernels, []).append(ratio - 1)
    found = [KindChange(name, len(changes), median(changes)) for name, changes in by_name.items()]
    return tuple(sorted(found, key=lambda one: -abs(one.change)))
