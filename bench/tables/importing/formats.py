"""Which tool wrote a file, by what is in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from ....errors import UserError
from .benchmark_log import is_log
from .trtexec import is_profile
from .trtexec_summary import is_summary

Format = Literal["trtexec", "trtexec-summary", "trtexec-profile", "benchmark-model", "ofa-yaml"]
FORMATS: tuple[Format, ...] = ("trtexec", "trtexec-summary", "trtexec-profile", "benchmark-model", "ofa-yaml")

_KEY = re.compile(r"^\W{0,3}\w+-input:\d", re.MULTILINE)


def format_of(text: str, path: Path) -> Format:
    """Raises UserError where no format that can be imported begins like this."""
    if is_summary(text):
        return "trtexec-summary"
    if text.lstrip().startswith("["):
        return "trtexec-profile" if is_profile(text) else "trtexec"
    if is_log(text):
        return "benchmark-model"
    if _KEY.search(text):
        return "ofa-yaml"
    raise UserError(f"{path} looks like none of {', '.join(FORMATS)}; where it is one, say so with --as")
