"""`zenbench cost`."""

from __future__ import annotations

from typing import Any

import click

from ...quantities import format_count
from ...zen.cost import cost
from ..networks.reading import as_networks
from .shared.options import chosen_networks, format_option, network_options
from .shared.output import NETWORK_COLUMN, Column, answer, label
from .shared.unread import reading_record, say_unread

COLUMNS = (
    NETWORK_COLUMN,
    Column("resolution", "resolution"),
    Column("layers", "layers"),
    Column("params", "params", format_count),
    Column("macs", "MACs", format_count),
    Column("peak_activation_bytes", "peak activations", lambda n: f"{n / 2**20:.2f} MiB"),
)


@click.command("cost")
@network_options
@format_option
def command(style: str, **options: Any) -> None:
    """MACs, parameters, layers and activation memory of networks.

    NETWORK is an ONNX, TFLite or .pt2 file (torch.export.save), FILE.py:NAME (a function or class of yours
    that gives a torch module), timm:NAME, torchvision:NAME, zoo:NAME (zoo:all for every known network), a
    structure string, a file holding one, a network.json, a search's result.json, or a structure of
    Once-for-All or TinyNAS.
    What cannot be read of a network costs what its shapes say, and is named.
    """
    records = []
    networks = as_networks(chosen_networks(options))
    for network in networks:
        counted = cost(network)
        records.append(
            {
                "label": label(network),
                "network": str(network),
                "digest": network.digest,
                "resolution": network.resolution,
                "classes": network.classes,
                "layers": counted.layers,
                "params": counted.params,
                "macs": counted.macs,
                "peak_activation_bytes": counted.peak_activation_bytes,
                **reading_record(network),
            }
        )
    answer(records, COLUMNS, style)
    say_unread(networks)
