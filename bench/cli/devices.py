"""`zenbench devices`."""

from __future__ import annotations

import click

from ...devices.card import cards
from ...devices.registry import device
from .shared.options import format_option
from .shared.output import Column, answer

COLUMNS = (
    Column("device", "device", right=False),
    Column("runtime", "runtime", right=False),
    Column("ready", "ready", lambda ready: "yes" if ready else "no", right=False),
    Column("default_setting", "default setting", right=False),
    Column("description", "what it is", right=False),
    Column("missing", "missing", right=False),
)


@click.command("devices")
@format_option
def command(style: str) -> None:
    """What can be measured on, and what is missing for it."""
    records = []
    for card in cards().values():
        for runtime in card.runtimes:
            found = device(card.name, runtime)
            missing = [need for need in found.requirements() if not need.met]
            defaults = card.defaults
            records.append(
                {
                    "device": card.name,
                    "runtime": runtime,
                    "ready": not missing,
                    "default_setting": f"{defaults['precision']}/b{defaults['batch']}/t{defaults['threads']}",
                    "description": card.description,
                    "missing": "; ".join(f"{need.name}: {need.advice}" for need in missing) or None,
                }
            )
    answer(records, COLUMNS, style)
