"""Cards: what is known of a device before it is touched, one TOML file each."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from ..errors import UserError
from .base import Setting, Wish

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class Card:
    """What is known of a device before it is touched: its name, runtimes and default setting.

    `local`: the device is this very computer, so its tables hold on one CPU model only.
    """

    name: str
    description: str
    runtimes: tuple[str, ...]
    defaults: Mapping[str, Any]
    local: bool

    def setting(self, wish: Wish, pinning: str) -> Setting:
        """The wish filled up with the card's defaults, its batch and threads checked."""
        values = {
            key: default if (asked := getattr(wish, key)) is None else asked
            for key, default in self.defaults.items()
        }
        for key in ("batch", "threads"):
            if values[key] < 1:
                raise UserError(f"--{key} must be at least 1, not {values[key]}")
        return Setting(self.name, pinning=pinning, **values)


@cache
def cards() -> dict[str, Card]:
    """Every card that ships, by name."""
    found = {}
    for entry in sorted(files(__package__).joinpath("cards").iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".toml"):
            data = tomllib.loads(entry.read_text("utf-8"))
            found[data["name"]] = Card(
                name=data["name"],
                description=data["description"],
                runtimes=tuple(data["runtimes"]),
                defaults=data["defaults"],
                local=data["local"],
            )
    return found


def card(name: str) -> Card:
    """The card of that name; raises UserError with the known names."""
    found = cards().get(name)
    if found is None:
        raise UserError(f"no device is called '{name}'; known are {', '.join(cards())} (zenbench devices)")
    return found
