"""`zenbench predict`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ...latency_tables.card import basis_text
from ...latency_tables.predictor import Predictor
from ...quantities import format_ms
from ...zen.graph_network import AnyNetwork
from ..latency_files.latency_rows import write_rows
from ..networks.reading import as_networks
from ..tables.block_latencies import block_latencies
from ..tables.prediction import predict
from .shared.opening import opened_model
from .shared.options import (
    FILE,
    chosen_networks,
    format_option,
    network_options,
    predicting_options,
    setting_request,
)
from .shared.output import NETWORK_COLUMN, Column, OutputRecord, answer, label, row_record, say
from .shared.unread import reading_record, say_unread

COLUMNS = (
    NETWORK_COLUMN,
    Column("latency_ms", "latency", format_ms),
    Column("latency_per_image_ms", "per image", format_ms),
    Column("std_ms", "std", format_ms),
    Column("coverage", "measured share", lambda v: f"{v:.0%}"),
    Column("unread_share", "unread share", lambda v: f"{v:.0%}"),
    Column("sum_ms", "plain sum", format_ms),
)
BLOCK_COLUMNS = (
    NETWORK_COLUMN,
    Column("block", "block: kernel, widths, input size", right=False),
    Column("times", "times"),
    Column("ms", "each", format_ms),
    Column("std_ms", "std", format_ms),
    Column("share", "share", lambda v: f"{v:.1%}"),
    Column("source", "source", right=False),
)


@click.command("predict")
@network_options
@predicting_options
@click.option("--by-block", is_flag=True, help="Show where the milliseconds go.")
@click.option("--out", type=FILE, help="Also write predicted.csv here.")
@format_option
def command(
    device: str | None,
    per_image: bool,
    table: Path | None,
    by_block: bool,
    out: Path | None,
    style: str,
    **options: Any,
) -> None:
    """Latency of networks, from a table.

    Latency is the time of one run of the setting's batch. The plain sum of the blocks stays visible
    beside the calibrated prediction.
    """
    networks = as_networks(chosen_networks(options))
    model = opened_model(device, setting_request(options), table)
    rows = predict(model, networks)
    if out:
        write_rows(out, rows)
        say(f"{out}: {len(rows)} predictions")
    if by_block:
        answer(_by_block(model, networks), BLOCK_COLUMNS, style)
    else:
        shown = (
            COLUMNS
            if model.table.card.setting.batch > 1
            else [c for c in COLUMNS if c.heading != "per image"]
        )
        records = [
            {**row_record(row, network), **reading_record(network)}
            for row, network in zip(rows, networks, strict=True)
        ]
        answer(records, shown, style)
    say_unread(networks)
    _say_setting(model, style)


def _by_block(model: Predictor, networks: Sequence[AnyNetwork]) -> list[OutputRecord]:
    return [
        {
            "label": label(network) if len(networks) > 1 else None,
            "block": block.workload.label,
            "network": str(network),
            "digest": network.digest,
            "workload": str(block.workload),
            "times": block.times,
            "ms": block.ms,
            "std_ms": block.std_ms,
            "share": block.share,
            "source": block.source,
        }
        for network in networks
        for block in block_latencies(model, network)
    ]


def _say_setting(model: Predictor, style: str) -> None:
    if style != "table":
        return
    card, summary = model.table.card, model.summary
    if model.notice is None:  # which names the table
        of = f"{card.provenance} table of {len(model.table.rows)} workloads timed {basis_text(card)}"
        summary = f"{card.setting.device} {card.setting}, {of}; {summary}"
    say(summary)
