"""Whole networks with their latencies in a user's file: each once, with file and line for what is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import TableError, UserError
from ...zen.network import Network
from ..csv_file import CsvFile, Record
from ..networks.reading import networks_only, read
from .columns import Columns

_SHOWN = 60


def measured_networks(
    file: CsvFile, columns: Columns, purpose: str, resolution: int | None = None, classes: int | None = None
) -> Iterator[tuple[Record, Network, float]]:
    """Record, network and latency in ms of every row that holds no error.

    `purpose` says what for, as in "used for a fit". `resolution` and `classes` replace those of the rows.
    Raises TableError for a network that stands twice, is none or has no possible latency.
    """
    network_column, latency_column = columns.of("network"), columns.of("latency")
    file.need(network_column, latency_column)
    lines: dict[str, int] = {}
    for record in file.records:
        if file.text(record, "error"):
            continue
        network = _network(file, record, columns, purpose, resolution, classes)
        if network.digest in lines:
            text = file.text(record, network_column)
            shown = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
            raise TableError(
                f"{file.place(record)} measures {shown} again, as line {lines[network.digest]} does; "
                "keep one of them"
            )
        lines[network.digest] = record.line
        yield record, network, file.latency_ms(record, latency_column, columns.unit)


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
