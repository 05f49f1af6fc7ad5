"""Freed memory back to the system: what a window of large files leaves would else stay with the process."""

from __future__ import annotations

import ctypes
from contextlib import suppress


def give_back() -> None:
    """Where the C library is glibc, which keeps freed blocks for itself; elsewhere nothing."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
