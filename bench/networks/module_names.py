"""How modules are named: timm:NAME, torchvision:NAME, FILE.py:factory."""

from __future__ import annotations

import re

TIMM, TORCHVISION = "timm:", "torchvision:"
OWN_CODE = re.compile(r"(?P<file>.+\.py):(?P<factory>\w+)")


def names_module(text: str) -> bool:
    return text.startswith((TIMM, TORCHVISION)) or OWN_CODE.fullmatch(text) is not None
