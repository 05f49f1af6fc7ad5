"""Which tool wrote a file, by what is in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from ....errors import UserError
from .trtexec import is_profile

Format = Literal["trtexec", "trtexec-profile", "benchmark-model", "ofa-yaml"]
FORMATS: tuple[Format, ...] = ("trtexec", "trtexec-profile", "benchmark-model", "ofa-yaml")

_LOG = re.compile(r"^([A-Z]+: )?(STARTING!|count=\d+ .*curr=|Inference timings in us:)", re.MULTILINE)
_KEY = re.compile(r"^\W{0,3}\w+-input:\d", re.MULTILINE)


def format_of(text: str, path: Path) -> Format:
    """Raises UserError where no format that can be imported begins like this."""
    if text.lstrip().startswith("["):
        return "trtexec-profile" if is_profile(text) else "trtexec"
    if _LOG.search(text):
        return "benchmark-model"
    if _KEY.search(text):
        return "ofa-yaml"
    raise UserError(f"{path} looks like none of {', '.join(FORMATS)}; where it is one, say so with --as")
