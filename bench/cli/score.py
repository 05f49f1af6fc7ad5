"""`zenbench score`."""

from __future__ import annotations

from typing import Any

import click

from ...errors import ZenbenchError
from ...zen.proxies import PROXIES, ZEN, score
from ...zen.proxies.base import Reading
from ..networks.reading import as_networks
from .shared.options import chosen_networks, format_option, network_options, scoring_options
from .shared.output import NETWORK_COLUMN, Column, answer, label, say

COLUMNS = (
    NETWORK_COLUMN,
    Column("proxy", "proxy", right=False),
    Column("reading", "reading", right=False),
    Column("value", "score", lambda v: f"{v:.6g}"),
    Column("std", "std", lambda v: f"{v:.2g}"),
    Column("repeats", "repeats"),
    Column("seconds", "seconds", lambda v: f"{v:.3g}"),
)


PROXY_HELP = "\b\nProxies:\n" + "\n".join(f"  {name:19}{proxy.summary}" for name, proxy in PROXIES.items())


@click.command("score", epilog=PROXY_HELP)
@network_options
@click.option("--proxy", type=click.Choice(list(PROXIES)), default="zen-closed", show_default=True)
@scoring_options
@format_option
def command(
    style: str, proxy: str, reading: Reading, batch: int, repeats: int, seed: int, **options: Any
) -> int:
    """How expressive networks are, or another training-free score of them.

    zen-closed is computed from the layer shapes in microseconds; zen runs forward passes with random
    weights. The reading of the Zen-Score is the paper's Algorithm 1 or what the reference implementation's
    search reads. An ONNX file of your own is read operation by operation.
    """
    records, refusals = [], []
    for item in chosen_networks(options):
        told: dict[str, Any] = {
            "label": label(item),
            "network": str(item),
            "digest": item.digest,
            "proxy": proxy,
        }
        if proxy in ZEN:
            told["reading"] = reading
        try:
            (network,) = as_networks([item])
            found = score(network, proxy, reading, batch, repeats, seed)
        except ZenbenchError as error:
            refusals.append(error)
            records.append({**told, "value": None, "reason": str(error)})
            continue
        figures = {"value": found.value, "std": found.std, "repeats": found.repeats, "seconds": found.seconds}
        records.append({**told, **figures})
    if len(refusals) == len(records):
        raise refusals[0]
    answer(records, COLUMNS, style)
    for record in records:
        if "reason" in record:
            say(f"{record['label']}: {record['reason']}")
    return 1 if refusals else 0
