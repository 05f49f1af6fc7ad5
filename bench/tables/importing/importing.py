"""From files of other tools to a journal and its table, or to a table alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from ....devices.base import DeviceState, Sample, Setting
from ....errors import UserError
from ....latency_tables.card import TableCard
from ....latency_tables.table import LatencyTable
from ....latency_tables.table_files import card_path, networks_path
from ....zen.network import Network
from ....zen.workload import Workload
from ...measuring.journal import History, Journal, MeasuringSession, journal_path, utc_now
from ...measuring.measurement import Measurement, Timing
from ...measuring.samples import Samples
from ...measuring.subjects import subject_of
from ..from_journal import build_table
from .block_yaml import BlockTable
from .trtexec import Trace

MOST_ROUNDS = 10
"""A trace is cut into so many stretches, so that a drift within it shows as spread between rounds."""

_EMPTY = DeviceState()


@dataclass(frozen=True)
class ImportedFile:
    """One file and the network or workload that it is a measurement of."""

    path: Path
    item: Network | Workload

    @property
    def subject(self) -> str:
        return subject_of(self.item).key


def timings_of_trace(trace: Trace) -> list[Timing]:
    """A trace as rounds: consecutive stretches of as many runs, the warm-up with the first."""
    runs = trace.runs_ms
    rounds = min(MOST_ROUNDS, len(runs))
    bounds = [len(runs) * index // rounds for index in range(rounds + 1)]
    return [
        Timing(
            trace.warmup_ms if start == 0 else (),
            Samples(Sample(ms) for ms in runs[start:end]),
            reference_ms=None,
        )
        for start, end in pairwise(bounds)
    ]


def import_timings(
    files: Sequence[tuple[ImportedFile, Sequence[Timing]]],
    setting: Setting,
    out: Path,
    facts: Mapping[str, Mapping[str, float]] | None = None,
) -> LatencyTable:
    """Writes the journal and its table; `facts`: what else each file states, by its name, for the card."""
    check_new(out)
    paths = [given.path for given, _ in files]
    session = MeasuringSession(setting, {}, {}, None, None, utc_now(), source_of(paths))
    taken = [
        (given.item, Measurement(given.subject, timing, None, _EMPTY, _EMPTY, session.started))
        for given, timings in files
        for timing in timings
    ]
    history = History()
    history.begin(session)
    for item, measurement in taken:
        history.measurements.append(measurement)
        if isinstance(item, Network):
            history.networks[measurement.subject] = item
    table = build_table(history)
    if facts:
        table = replace(table, card=replace(table.card, imported=facts))
    table.save(out)  # before the journal: an impossible figure is refused here, and leaves nothing
    with Journal(journal_path(out)) as journal:
        journal.head(session)
        for item, measurement in taken:
            journal.append(measurement, item if isinstance(item, Network) else None)
    return table


def import_blocks(blocks: BlockTable, path: Path, setting: Setting, out: Path) -> LatencyTable:
    """Writes the table; there is no journal, for the file holds no single runs."""
    check_new(out)
    card = TableCard(setting, "measured", {}, {}, {}, None, None, utc_now(), source_of([path]))
    table = LatencyTable(card, blocks.rows)
    table.save(out)
    return table


def check_named(setting: Setting) -> None:
    """Raises UserError for names that a setting's text or a device's folder cannot hold."""
    Setting.parse(setting.device, str(setting))
    fits = all(character.isalnum() or character in "._-" for character in setting.device)
    if not (setting.device and fits):
        raise UserError(f"'{setting.device}' is no name for a device; use letters, digits, '.', '_' and '-'")


def check_new(out: Path) -> None:
    """Raises UserError where a table, or a part of one, is there already."""
    for path in (out, card_path(out), networks_path(out), journal_path(out)):
        if path.exists():
            raise UserError(f"{path} exists already; choose another --out")


def source_of(paths: Sequence[Path]) -> str:
    """What a card says of where its numbers come from: every file by name and digest, each once."""
    digests: dict[str, Path] = {}
    for path in paths:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest in digests:
            raise UserError(f"{path} holds the same as {digests[digest]}; a measurement counts once")
        digests[digest] = path
    return "imported from " + ", ".join(f"{path.name} (sha256 {digest})" for digest, path in digests.items())
