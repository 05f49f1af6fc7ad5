"""What could not be read of networks, told beside what is known of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ....zen.graph_network import AnyNetwork, GraphNetwork
from ....zen.importing.training_form import training_form
from .output import label, say

_MOST_KINDS = 6


def reading_record(network: AnyNetwork) -> dict[str, Any]:
    """How far a network was read: `reading` is read or priced; `priced` counts operations by their kind."""
    if not isinstance(network, GraphNetwork):
        return {}
    if network.unread is None:
        return {"reading": "read"}
    return {"reading": "priced", "priced": network.priced, "unread": network.unread}


def say_unread(networks: Iterable[AnyNetwork]) -> None:
    """What was not read of networks, and that they are in their training form where they are."""
    for network in networks:
        if isinstance(network, GraphNetwork) and (form := training_form(network.graph())):
            say(f"{label(network)}: {form}")
        if isinstance(network, GraphNetwork) and network.unread is not None:
            ordered = sorted(network.priced.items(), key=lambda one: -one[1])
            kinds = [f"{count} {kind}" for kind, count in ordered]
            more = f" and {len(kinds) - _MOST_KINDS} more kinds" if len(kinds) > _MOST_KINDS else ""
            named = f": {', '.join(kinds[:_MOST_KINDS])}{more}; first," if kinds else ":"
            say(
                f"{label(network)}: priced by its shapes, since not all of it could be read{named} "
                f"{network.unread}"
            )
