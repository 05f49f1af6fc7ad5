"""Whole networks with their latencies in a user's file: each once, with file and line for what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ...errors import TableError, UserError
from ...zen.network import Network
from ..csv_file import CsvFile, Record
from ..networks.reading import networks_only, read
from .columns import Columns

_SHOWN = 60


@dataclass(frozen=True, slots=True)
class LeftOutRow:
    """A row of a file that nothing is learned from, by its line, and why."""

    line: int
    network: str
    reason: str


def measured_networks(
    file: CsvFile,
    columns: Columns,
    purpose: str,
    resolution: int | None = None,
    classes: int | None = None,
    check: Callable[[Network], None] | None = None,
    left_out: list[LeftOutRow] | None = None,
) -> Iterator[tuple[Record, Network, float]]:
    """Record, network and latency in ms of every row that holds no error.

    `purpose` says what for, as in "used for a fit". `resolution` and `classes` replace those of the rows.
    A network that stands twice, is none, does not pass `check` or has no possible latency is added to
    `left_out`, and raises TableError where that is None.
    """
    network_column, latency_column = columns.of("network"), columns.of("latency")
    file.need(network_column, latency_column)
    unit = columns.unit or file.unit(latency_column)
    lines: dict[str, int] = {}
    for record in file.records:
        if file.text(record, "error"):
            continue
        try:
            network = _network(file, record, columns, purpose, resolution, classes)
            if check is not None:
                _check(file, record, network, check)
            latency_ms = file.latency_ms(record, latency_column, unit)
            _once(file, record, file.text(record, network_column), lines.get(network.digest))
        except TableError as error:
            if left_out is None:
                raise
            reason = str(error).removeprefix(file.place(record)).lstrip(": ")
            left_out.append(LeftOutRow(record.line, _shown(file.text(record, network_column)), reason))
            continue
        lines[network.digest] = record.line
        yield record, network, latency_ms


def _check(file: CsvFile, record: Record, network: Network, check: Callable[[Network], None]) -> None:
    try:
        check(network)
    except TableError as error:
        raise TableError(f"{file.place(record)}: {error}") from None


def _once(file: CsvFile, record: Record, text: str, line: int | None) -> None:
    if line is not None:
        raise TableError(
            f"{file.place(record)} measures {_shown(text)} again, as line {line} does; keep one of them"
        )


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _network(
    file: CsvFile, record: Record, columns: Columns, purpose: str, resolution: int | None, classes: int | None
) -> Network:
    text = file.text(record, columns.of("network"))
    if not text:
        raise TableError(f"{file.place(record)} names no network")
    resolution = resolution or file.whole(record, columns.of("resolution"))
    classes = classes or file.whole(record, columns.of("classes"))
    try:
        (network,) = networks_only([read(text, resolution, classes)], purpose)
    except UserError as error:
        raise TableError(f"{file.place(record)}: {error}") from None
    return network
