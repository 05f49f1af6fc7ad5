"""Whole networks with their latencies in a user's file: each once, with file and line for what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import TableError, UserError
from ...zen.network import Network
from ..csv_file import CsvFile, Record
from ..networks.reading import networks_only, read

_SHOWN = 60


@dataclass(frozen=True)
class Columns:
    """Where a file holds what, and the resolution and classes of networks whose rows do not say."""

    network: str = "network"
    latency: str = "latency_ms"
    resolution: int | None = None
    classes: int | None = None


def measured_networks(
    file: CsvFile, columns: Columns, purpose: str
) -> Iterator[tuple[Record, Network, float]]:
    """Record, network and latency in ms of every row that holds no error.

    `purpose` says what for, as in "used for a fit". Raises TableError for a network that stands twice, is
    none or has no possible latency.
    """
    file.need(columns.network, columns.latency)
    lines: dict[str, int] = {}
    for record in file.records:
        if file.text(record, "error"):
            continue
        network = _network(file, record, columns, purpose)
        if network.digest in lines:
            text = file.text(record, columns.network)
            shown = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
            raise TableError(
                f"{file.place(record)} measures {shown} again, as line {lines[network.digest]} does; "
                "keep one of them"
            )
        lines[network.digest] = record.line
        yield record, network, file.latency_ms(record, columns.latency)


def _network(file: CsvFile, record: Record, columns: Columns, purpose: str) -> Network:
    text = file.text(record, columns.network)
    if not text:
        raise TableError(f"{file.place(record)} names no network")
    resolution = columns.resolution or file.whole(record, "resolution")
    classes = columns.classes or file.whole(record, "classes")
    try:
        (network,) = networks_only([read(text, resolution, classes)], purpose)
    except UserError as error:
        raise TableError(f"{file.place(record)}: {error}") from None
    return network
