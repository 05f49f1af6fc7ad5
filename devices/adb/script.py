"""A script at work on a phone: its output as it comes, its exit status, and the end of all its processes.

The service is `shell,v2,pty` (Android 7 and newer), and a mark behind the output says how the script ended.
What else was tried on the adbd of Android 10:

* `shell,v2,raw` sends the exit status by itself, but has no terminal: when the stream ends only the shell is
  signalled, and what it started runs on, as everything does when adbd dies.
* `shell,v2,pty` without the mark: adbd closes the terminal when the shell ends and loses up to 10 kB of what
  was written last (in 29 of 100 runs of `seq 20000`). So the shell waits behind the mark to be hung up.
* `shell:` has a terminal and loses nothing, but adbd hangs up one second late.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from ...errors import DeviceError
from .link import AdbStream, Link

_OUTPUT = 1  # the kind of frame that holds output
_MAX_MARK_BYTES = 30
_MAX_ARGUMENT_BYTES = 2**17  # of a process on Linux


class DeadlineError(DeviceError):
    """A script on a phone did not end in time, and was killed."""


class Script:
    """A running script: `output` is what it wrote and nobody took yet, `status` how it ended."""

    def __init__(self, text: str, stream: AdbStream, mark: re.Pattern[bytes], until: float) -> None:
        self.output = bytearray()
        self.status = 0
        self._text = text
        self._stream = stream
        self._mark = mark
        self._until = until

    def more(self) -> bool:
        """Waits for more output; False: the script has ended. Raises TimeoutError."""
        head = self._stream.read(5, self._until)
        size = int.from_bytes(head[1:], "little")
        if len(head) < 5 or head[0] != _OUTPUT:
            raise DeviceError(f"the phone ended this without an exit status: {self._text}")
        seen = max(0, len(self.output) - _MAX_MARK_BYTES)  # half of the mark may be there
        self.output += self._stream.read(size, self._until)
        end = self._mark.search(self.output, seen)
        if end is None:
            return True
        self.status = int(end[1])
        del self.output[end.start() :]
        return False


@contextmanager
def running(link: Link, script: str, deadline_s: float) -> Iterator[Script]:
    """Runs a script without input; when the `with` ends, so do all its processes that can be hung up.

    Raises DeadlineError, and LinkLostError where the phone is gone rather than the script slow.
    """
    until = time.monotonic() + deadline_s
    # What shows this very command (ps) shows `$?` where the mark has a number. In a subshell of its own a
    # script may exit, end in a comment or not be one, and the mark still comes.
    name = secrets.token_hex(8)
    command = f"(eval {shlex.quote(script)}) </dev/null; echo {name}$?; read end"
    if len(os.fsencode(command)) >= _MAX_ARGUMENT_BYTES:
        raise ValueError(f"a script of {len(script)} characters is more than Linux takes")
    try:
        with closing(link.open(f"shell,v2,pty:{command}", until)) as stream:
            yield Script(script, stream, re.compile(name.encode() + rb"(\d+)\r?\n"), until)
    except TimeoutError:
        link.check()
        raise DeadlineError(f"the phone did not end this within {deadline_s:g} s: {script}") from None


def hold(link: Link, script: str, until: float) -> None:
    """Starts a script that lives until the link ends."""
    # Its input stays the terminal: once nobody has that open, adbd closes it.
    link.open(f"shell,v2,pty:exec >/dev/null 2>&1; {script}", until)


def quoted(arguments: Sequence[str]) -> str:
    """The arguments as one command of a script, each taken literally."""
    return shlex.join(arguments)


def text(output: bytes | bytearray) -> str:
    """What a terminal shows: it has put a carriage return before every newline."""
    return output.replace(b"\r\n", b"\n").decode("utf-8", "replace")
