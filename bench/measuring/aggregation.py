"""From rounds to a row: how long a subject takes while nothing else does.

Whatever else a machine does only ever adds to a time, so the fastest run tells a subject's own latency best
(Chen and Revels 2016, Robust benchmarking in noisy environments, arXiv:1608.04295). A slower clock adds to
all times alike and for longer: it is divided out by the reference's fastest reading around the round. Tried
against it: each round divided by its own reading of the reference, and the median of the rounds taken; the
readings vary more than most subjects do. docs/measuring.md compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import hypot
from statistics import median, quantiles

from ...latency_tables.row import Row, Verdict
from .disturbance import DisturbanceDetector
from .journal import History
from .measurement import Measurement, Timing

NOISY_SPREAD = 0.10
"""Relative deviation of rounds from which a row is called noisy."""
THROTTLED_RATIO = 1.25
"""Slow-down of the reference, against its median over the table, from which a row is called throttled."""
_FEWEST_QUIET = 3
"""Fewer rounds tell too little of their spread."""
_AROUND = 40
"""Rounds before and after one that tell its clock: about a window of them."""


@dataclass(frozen=True)
class TimedRound:
    """A measurement that gave a timing.

    `visit`: a number that rounds of one subject share if it was loaded once for them. `clock_ms`: the
    reference's fastest reading around the round; None where no reference ran.
    """

    measurement: Measurement
    timing: Timing
    visit: tuple[int, int]
    clock_ms: float | None


def rounds_by_subject(sessions: Iterable[Sequence[Measurement]]) -> dict[str, list[TimedRound]]:
    """The rounds of every subject that was timed, without those in which the device throttled or was
    disturbed; each session's measurements in the order they were taken."""
    sessions = list(sessions)
    detector = DisturbanceDetector(one for session in sessions for one in session)
    groups: dict[str, list[TimedRound]] = {}
    for number, session in enumerate(sessions):
        for one in _rounds(session, number):
            groups.setdefault(one.measurement.subject, []).append(one)
    return {subject: _undisturbed(rounds, detector) for subject, rounds in groups.items()}


def _rounds(measurements: Sequence[Measurement], session: int) -> Iterator[TimedRound]:
    timed = [(one, one.timing) for one in measurements if one.timing is not None]
    readings = [timing.reference_ms for _, timing in timed]
    visits: dict[str, int] = {}
    last: dict[str, int] = {}
    for place, (measurement, timing) in enumerate(timed):
        subject = measurement.subject
        # The rounds of a window are interleaved, so those of one visit are never far apart.
        if place - last.get(subject, place - _AROUND) >= _AROUND:
            visits[subject] = place
        last[subject] = place
        around = readings[max(0, place - _AROUND) : place + _AROUND + 1]
        clock_ms = min((reading for reading in around if reading is not None), default=None)
        yield TimedRound(measurement, timing, (session, visits[subject]), clock_ms)


def rows_of(history: History) -> tuple[dict[str, Row], float | None]:
    """The row of every subject that was measured, by its key, and the reference's latency in ms."""
    groups = rounds_by_subject(history.by_session())
    reference_ms = usual_clock_ms(groups)
    return {subject: row_of(rounds, reference_ms) for subject, rounds in groups.items()}, reference_ms


def usual_clock_ms(groups: dict[str, list[TimedRound]]) -> float | None:
    """The reference's latency over all rounds; None where it ran in none."""
    clocks = [one.clock_ms for rounds in groups.values() for one in rounds if one.clock_ms is not None]
    return median(clocks) if clocks else None


def row_of(rounds: Sequence[TimedRound], reference_ms: float | None) -> Row:
    """One row from the rounds of one subject.

    Its latency is the fastest run of a visit, over several visits their median: what loading it anew changes
    is luck, and the luckiest load is no more true than the others. Without a reference (what another tool
    measured) it is the median of the rounds, for the fastest may be one of a faster clock. Of rounds that say
    only how their runs lay it is the median of their means: see `_summed_up`.
    """
    if all(one.timing.summary is not None for one in rounds):
        return _summed_up(rounds)
    drifts = [_drift(one, reference_ms) for one in rounds]
    steady = [_steady_ms(one, reference_ms) for one in rounds]
    fastest = [min(_steady_ms(one, reference_ms) for one in visit) for visit in by_visit(rounds)]
    medians = [one.timing.median_ms for one in rounds]
    spread = _relative_deviation(medians if reference_ms is None else steady)
    verdict: Verdict = "quiet"
    if rounds[0].measurement.throttled or median(drifts) > THROTTLED_RATIO:
        verdict = "throttled"
    elif spread > NOISY_SPREAD:
        verdict = "noisy"
    return Row(
        latency_ms=median(medians) if reference_ms is None else median(fastest),
        median_ms=median(medians),
        spread=spread,
        rounds=len(rounds),
        runs=sum(one.timing.runs for one in rounds),
        verdict=verdict,
        cold_ms=_cold_ms(rounds, reference_ms),
    )


def _cold_ms(rounds: Sequence[TimedRound], reference_ms: float | None) -> float | None:
    """The lower quartile of the runs behind a flush, less what warm runs vary by themselves: how far their
    own quartile is above their fastest. The fastest cold run would be the one that found most still there."""
    drifts = [_drift(one, reference_ms) for one in rounds]
    pairs = list(zip((one.timing for one in rounds), drifts, strict=True))
    cold = [ms / drift for timing, drift in pairs for ms in timing.cold_ms]
    warm = [ms / drift for timing, drift in pairs for ms in timing.samples.ms]
    return _quartile(cold) * min(warm) / _quartile(warm) if len(cold) > 1 else None


def _quartile(readings: Sequence[float]) -> float:
    return quantiles(readings, n=4, method="inclusive")[0]


def _summed_up(rounds: Sequence[TimedRound]) -> Row:
    """A row from what another tool says of its runs, each of which counts as a round.

    The latency is the mean, which is what such tools are quoted by. A mean that a few slow runs have drawn up
    shows in its distance to `median_ms` and in the spread: runs about their mean, and means about each other.
    """
    told = [(one.timing, one.timing.summary) for one in rounds if one.timing.summary is not None]
    means = [median(timing.samples.ms) for timing, _ in told]
    within = median(summary.std_ms / mean for (_, summary), mean in zip(told, means, strict=True))
    spread = hypot(within, _relative_deviation(means))
    runs = sum(timing.runs for timing, _ in told)
    verdict: Verdict = "noisy" if spread > NOISY_SPREAD else "quiet"
    return Row(median(means), median(summary.median_ms for _, summary in told), spread, runs, runs, verdict)


def by_visit(rounds: Iterable[TimedRound]) -> list[list[TimedRound]]:
    """One subject's rounds, those of one load together."""
    visits: dict[tuple[int, int], list[TimedRound]] = {}
    for one in rounds:
        visits.setdefault(one.visit, []).append(one)
    return list(visits.values())


def _steady_ms(one: TimedRound, reference_ms: float | None) -> float:
    return one.timing.fastest_ms / _drift(one, reference_ms)


def _drift(one: TimedRound, usual_ms: float | None) -> float:
    """How much slower the clock was in a round than over the table."""
    return 1.0 if one.clock_ms is None or usual_ms is None else one.clock_ms / usual_ms


def _undisturbed(rounds: list[TimedRound], detector: DisturbanceDetector) -> list[TimedRound]:
    """The rounds in which the device did not throttle and kept its pace, or what comes nearest to that.

    The whole session's pace tells more than what was known when a round was taken.
    """

    def quiet(one: TimedRound) -> bool:
        return not one.measurement.disturbed and not detector.disturbed(one.measurement)

    cool = [one for one in rounds if not one.measurement.throttled] or rounds
    best = list(filter(quiet, cool))
    return best if len(best) >= _FEWEST_QUIET else cool


def _relative_deviation(values: list[float]) -> float:
    """Standard deviation over median, by the quartiles of a normal distribution (0.741 of their distance)."""
    if len(values) < 2:
        return 0.0
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return 0.741 * (high - low) / middle
