"""Running a module that somebody else wrote."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from ...errors import NetworkError, ZenbenchError, first_line


class _Stderr(io.TextIOBase):
    """What own code prints; it may close this, and has not closed stderr."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)


@contextmanager
def printing_to_stderr() -> Iterator[None]:
    """With what the code prints apart from a command's answer."""
    with redirect_stdout(_Stderr()):
        yield


@contextmanager
def failing_as(what: str) -> Iterator[None]:
    """Whatever a module raises as a NetworkError, an exit too: `what`, a colon and its reason. What it prints
    goes to stderr."""
    try:
        with printing_to_stderr():
            yield
    except (KeyboardInterrupt, ZenbenchError):
        raise
    except BaseException as error:
        raise NetworkError(f"{what}: {first_line(error)}") from error
