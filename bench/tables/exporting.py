"""A latency table in one file for other programs: Once-for-All's YAML, flat CSV, or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Literal

from ...latency_tables.row import Row
from ...latency_tables.table import LatencyTable
from ...zen.network import Network
from ...zen.workload import Workload

ExportFormat = Literal["ofa-yaml", "csv", "json"]
EXPORT_FORMATS: tuple[ExportFormat, ...] = ("ofa-yaml", "csv", "json")
SCHEMA = "zenbench-table-export/1"


def export_table(table: LatencyTable, style: ExportFormat) -> tuple[str, list[str]]:
    """The text, and what it does not hold, a line each."""
    if style == "csv":
        return _to_csv(table), ["the card beyond setting and provenance"]
    if style == "json":
        return _to_json(table), []
    from .importing.block_yaml import write_blocks

    text, missing = write_blocks(table)
    lost = ["the setting, median_ms, cold_ms, runs, verdicts and basis: the format has no place for them"]
    if table.networks:
        lost.append(f"{len(table.networks)} whole networks")
    return text, [*lost, *(f"{workload}: has no key" for workload in missing)]


def _records(table: LatencyTable) -> Iterator[dict[str, Any]]:
    rows: list[tuple[Workload | Network, Row]] = [*table.rows.items(), *table.networks.items()]
    for item, row in rows:
        yield {
            **_identity(item),
            **asdict(row),
            **({"basis": row.basis or table.card.basis} if isinstance(item, Workload) else {}),
            "std_ms": row.std_ms,
            "latency_per_image_ms": row.latency_ms / table.card.setting.batch,
        }


def _identity(item: Workload | Network) -> dict[str, Any]:
    if isinstance(item, Workload):
        channels = {"in_channels": item.unit.in_channels, "out_channels": item.unit.out_channels}
        return {"kind": "workload", "subject": str(item), "size": item.size, **channels}
    return {"kind": "network", "subject": item.text, "size": item.resolution, "digest": item.digest}


def _to_csv(table: LatencyTable) -> str:
    setting = {**asdict(table.card.setting), "provenance": table.card.provenance}
    records = [{**record, **setting} for record in _records(table)]
    columns = list(dict.fromkeys(name for record in records for name in record))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {name: f"{value:.7g}" if isinstance(value, float) else value for name, value in record.items()}
        for record in records
    )
    return buffer.getvalue()


def _to_json(table: LatencyTable) -> str:
    networks = {network.digest: network.to_json() for network in table.networks}
    document = {
        "format": SCHEMA,
        "card": asdict(table.card),
        "rows": list(_records(table)),
        "networks": networks,
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"
