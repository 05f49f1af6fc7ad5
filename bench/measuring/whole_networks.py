"""Whole networks, measured: rows of `measured.csv`, all raw samples in a journal beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ...devices.base import Device, Setting
from ...zen.network import Network
from ..latency_files.latency_rows import LatencyRow
from ..networks.model_file import FileSubject
from ..networks.reading import NetworkLike
from .aggregation import TimedRound, rounds_by_subject, row_of, usual_clock_ms
from .journal import History, Journal, new_session
from .measurement import Measurement
from .meter import Meter, Visit
from .recipe import Recipe
from .subjects import Subject, subject_of

RECIPE = Recipe(rounds=10, round_ms=30.0, min_runs=3, max_runs=20, window=8)


def measure(
    device: Device,
    setting: Setting,
    given: Sequence[NetworkLike],
    journal: Journal,
    report: Callable[[int], None] = lambda rounds: None,
    recipe: Recipe = RECIPE,
    subject_of: Callable[[NetworkLike], Subject] = subject_of,
) -> list[LatencyRow]:
    """Measures networks in interleaved rounds; a network that fails gives a row with its error.

    `report` is told the number of rounds measured so far. The journal may hold sessions of other settings:
    rows come from this one alone. `subject_of`: what is timed of an item.
    """
    unique = list(dict.fromkeys(given))
    taken: list[Measurement] = []
    with Meter(device, setting, recipe) as meter:
        session = new_session(device, setting, recipe)
        journal.head(session)
        for start in range(0, len(unique), recipe.window):
            window = unique[start : start + recipe.window]
            networks = {subject_of(item).key: item for item in window if isinstance(item, Network)}
            tasks = [Visit(subject_of(item), recipe.rounds, recipe.most_rounds) for item in window]
            for measurement in meter.window(tasks):
                journal.append(measurement, networks.get(measurement.subject))
                taken.append(measurement)
                report(len(taken))
    rounds = rounds_by_subject([taken])
    reference_ms, errors = usual_clock_ms(rounds), _errors(taken)
    keys = [subject_of(item).key for item in unique]
    rows = [
        _row(item, rounds.get(key, []), errors.get(key), setting, reference_ms)
        for item, key in zip(unique, keys, strict=True)
    ]
    versions = ", ".join(f"{name} {version}" for name, version in session.versions.items())
    return [replace(row, versions=versions) for row in rows]


def judged(history: History, reference_ms: float | None) -> list[LatencyRow]:
    """The rows of a profile's hold-out networks, in the order they were first measured; its last setting."""
    rounds, errors = rounds_by_subject(history.by_session()), _errors(history.measurements)
    setting = history.sessions[-1].setting
    return [
        _row(network, rounds.get(key, []), errors.get(key), setting, reference_ms, _visits)
        for key, network in history.networks.items()
        if key in history.hold_out
    ]


def _errors(measurements: Sequence[Measurement]) -> dict[str, str]:
    """Of each subject that failed, its first error."""
    failed = [(one.subject, one.error) for one in measurements if one.error is not None]
    return dict(reversed(failed))


_Halves = tuple[list[TimedRound], list[TimedRound]]


def _every_other(rounds: list[TimedRound]) -> _Halves:
    """So that both halves see the whole session."""
    return rounds[::2], rounds[1::2]


def _visits(rounds: list[TimedRound]) -> _Halves:
    """So that each half is a network loaded anew."""
    middle = (len(rounds) + 1) // 2
    return rounds[:middle], rounds[middle:]


def _row(
    item: NetworkLike,
    rounds: list[TimedRound],
    error: str | None,
    setting: Setting,
    reference_ms: float | None,
    halves_of: Callable[[list[TimedRound]], _Halves] = _every_other,
) -> LatencyRow:
    """`halves_of` parts the rounds in two, to tell how well the measurement repeats itself."""
    network = item.network if isinstance(item, FileSubject) else item
    row = LatencyRow(
        network=str(item),
        digest=item.digest,
        resolution=network.resolution if network else None,
        classes=network.classes if network else None,
        device=setting.device,
        setting=str(setting),
    )
    if error is not None or not rounds:
        return replace(row, error=error or "not measured")
    whole = row_of(rounds, reference_ms)
    halves = [row_of(half, reference_ms).latency_ms if half else None for half in halves_of(rounds)]
    return replace(
        row,
        latency_ms=whole.latency_ms,
        latency_per_image_ms=whole.latency_ms / setting.batch,
        std_ms=whole.std_ms,
        reference_ms=reference_ms,
        half_a_ms=halves[0],
        half_b_ms=halves[1],
        spread=whole.spread,
        rounds=whole.rounds,
        runs=whole.runs,
        verdict=whole.verdict,
    )
