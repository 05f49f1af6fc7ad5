"""`zenbench score`."""

from __future__ import annotations

from typing import Any

import click

from ...errors import ZenbenchError
from ...zen.graph import Graph
from ...zen.importing.batch_norms import require_batch_norm
from ...zen.network import Network
from ...zen.proxies import PROXIES, ZEN, score
from ...zen.proxies.base import Reading
from ..networks.model_file import FileSubject
from ..networks.reading import NetworkLike
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
            found = score(_target(item, proxy), proxy, reading, batch, repeats, seed)
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


def _target(item: NetworkLike, proxy: str) -> Network | Graph:
    network = item.network if isinstance(item, FileSubject) else item
    if network is not None:
        return network
    graph = item.graph()
    if proxy in ZEN:
        require_batch_norm(graph, str(item))
    return graph
