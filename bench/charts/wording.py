"""How a report writes numbers: percentages with a space that does not break."""

from __future__ import annotations

import re

_MINUS, _SPACE = "\u2212", "\u00a0"


def percent(share: float, digits: int = 1) -> str:
    """A fraction as a percentage: `4.3 %`."""
    return f"{100 * share:.{digits}f}{_SPACE}%"


def signed_percent(share: float, digits: int = 1) -> str:
    """A fraction as a percentage that always has a sign."""
    return f"{100 * share:+.{digits}f}{_SPACE}%".replace("-", _MINUS)


def typeset(text: str) -> str:
    """A sentence for the terminal with the percentages of a report."""
    return re.sub(r"(?<=\d)%", f"{_SPACE}%", text)
