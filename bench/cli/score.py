"""`zenbench score`."""

from __future__ import annotations

from typing import Any

import click

from ...zen.proxies import PROXIES, score
from ...zen.proxies.base import READINGS, Reading
from ..networks import networks_only
from .options import chosen_networks, format_option, network_options, seed_option
from .output import NETWORK_COLUMN, Column, answer, label

COLUMNS = (
    NETWORK_COLUMN,
    Column("proxy", "proxy", right=False),
    Column("reading", "reading", right=False),
    Column("value", "score", lambda v: f"{v:.2f}"),
    Column("std", "std", lambda v: f"{v:.2f}"),
    Column("repeats", "repeats"),
    Column("seconds", "seconds", lambda v: f"{v:.3g}"),
)


@click.command("score")
@network_options
@click.option("--proxy", type=click.Choice(list(PROXIES)), default="zen-closed", show_default=True)
@click.option("--reading", type=click.Choice(READINGS), default="paper", show_default=True)
@click.option("--batch", type=click.IntRange(2), default=16, show_default=True, help="Images a forward pass.")
@click.option("--repeats", type=click.IntRange(1), default=1, show_default=True)
@seed_option
@format_option
def command(
    style: str, proxy: str, reading: Reading, batch: int, repeats: int, seed: int, **options: Any
) -> None:
    """Zen-Score of networks: how expressive they are, without training.

    zen-closed is computed from the layer shapes in microseconds; zen runs forward passes with random
    weights. The reading is the paper's Algorithm 1 or what the reference implementation's search reads.
    """
    records = []
    for network in networks_only(chosen_networks(options), "scored"):
        found = score(network, proxy, reading, batch, repeats, seed)
        records.append(
            {
                "label": label(network),
                "network": str(network),
                "digest": network.digest,
                "proxy": proxy,
                "reading": reading,
                "value": found.value,
                "std": found.std,
                "repeats": found.repeats,
                "seconds": found.seconds,
            }
        )
    answer(records, COLUMNS, style)
