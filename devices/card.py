"""Cards: what is known of a device before it is touched, one TOML file each.

Those that ship lie in `cards/`, further ones in the folder `cards` of the user's home: a new phone or GPU
is a card and no code.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..home import home
from .base import Setting, SettingRequest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class DeviceCard:
    """What is known of a device before it is touched: its name, runtimes and default setting.

    `runtimes`: runtime -> the driver that runs it. `local`: the device is this very computer, so its
    tables hold on one CPU model only. `recipe`: what its measurements do otherwise than usual. `details`:
    what its driver alone understands.
    """

    name: str
    description: str
    runtimes: Mapping[str, str]
    defaults: Mapping[str, Any]
    local: bool
    recipe: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def setting(self, request: SettingRequest, pinning: str) -> Setting:
        """The request filled up with the card's defaults, its batch and threads checked."""
        values = {
            key: default if (asked := getattr(request, key)) is None else asked
            for key, default in self.defaults.items()
        }
        for key in ("batch", "threads"):
            if values[key] < 1:
                raise UserError(f"--{key} must be at least 1, not {values[key]}")
        if request.cpu_mask is not None and pinning != f"mask-{request.cpu_mask}":
            raise UserError(f"device '{self.name}' chooses its cores itself; leave --cpu-mask out")
        return Setting(self.name, pinning=pinning, **values)


THIS_COMPUTER = "host"
"""The device where none is named."""


def cards() -> dict[str, DeviceCard]:
    """Every card by name; a user's own replaces the shipped one of its name."""
    shipped = Path(str(files(__package__))) / "cards"
    found = [
        read_card(path) for folder in (shipped, home() / "cards") for path in sorted(folder.glob("*.toml"))
    ]
    return {one.name: one for one in found}


def card(name: str) -> DeviceCard:
    """The card of that name; raises UserError with the known names."""
    known = cards()
    if name not in known:
        raise UserError(f"no device is called '{name}'; known are {', '.join(known)} (zenbench devices)")
    return known[name]


_NAME = re.compile(r"\w[\w.-]*")
_KEYS = {"name": str, "description": str, "runtimes": dict, "defaults": dict, "local": bool, "recipe": dict}
_DEFAULTS = {"runtime": str, "precision": str, "batch": int, "threads": int}


def read_card(path: Path) -> DeviceCard:
    """Raises UserError, naming file and key, for what is no card."""
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"the device card {path} cannot be read: {error}") from None
    data.setdefault("recipe", {})
    for place, table, keys in (("", data, _KEYS), ("defaults.", data.get("defaults"), _DEFAULTS)):
        for key, kind in keys.items():
            value = table.get(key) if isinstance(table, dict) else None
            if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
                raise UserError(f"the device card {path} needs {place}{key}, a {_NAMES[kind]}")
    if more := sorted(set(data["defaults"]) - set(_DEFAULTS)):
        raise UserError(
            f"the device card {path} has the default '{more[0]}'; it may have {', '.join(_DEFAULTS)}"
        )
    # A folder of the home is named after the device.
    if not _NAME.fullmatch(data["name"]):
        raise UserError(
            f"the device card {path} has the name '{data['name']}'; use letters, digits, '.', '_' and '-', a "
            "letter or digit first"
        )
    if data["defaults"]["runtime"] not in data["runtimes"]:
        raise UserError(f"the device card {path} has no runtime '{data['defaults']['runtime']}', its default")
    known = {key: data.pop(key) for key in _KEYS}
    return DeviceCard(**known, details=data)


_NAMES = {str: "text", dict: "table", bool: "true or false", int: "whole number"}
