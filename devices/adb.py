"""A phone's shell and files over ADB: scripts with their exit status, pushes and pulls, all with deadlines.

A script runs by the service `shell,v2,pty` (Android 7 and newer). v2 sends the exit status beside the output,
so nothing in either can be taken for it; a marker with `$?` after the script, the way of `shell:`, has to be
told from the same text in the output and from what a background process writes after it. The terminal (pty)
is what makes all processes of a script die of a hang-up when the stream ends; without one (`shell,v2,raw`)
only the shell itself is signalled, and what it started runs on.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import atomic
from ..errors import DeviceError, DeviceUnavailableError
from .adb_link import LinkLostError
from .adb_sync import pull, push

if TYPE_CHECKING:
    from .adb_link import Link, Stream

__all__ = ["Adb", "DeadlineError", "LinkLostError", "Output", "quoted"]

_START_S = 10.0
_EXIT = 3  # the frame with the exit status; the others hold output


class DeadlineError(DeviceError):
    """A script on a phone did not end in time, and was killed."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a script left: its exit status, and stdout and stderr as the shell mixed them."""

    status: int
    text: str


class Adb:
    """A connection to one phone's adbd over USB or TCP, for one thread at a time.

    When it ends, by `close()` or by the death of this process, everything that runs through it on the phone
    gets a hang-up. Over USB a phone does not see that this process was killed: there the hang-up comes with
    the next connection.

    Every call raises LinkLostError where the connection breaks; `reconnect()` then tries once more.
    """

    def __init__(self, serial: str, link: Link) -> None:
        self.serial = serial
        self._link = link

    @staticmethod
    def connect(serial: str | None = None) -> Adb:
        """Connects to `host:port` or a serial on USB; None: to ANDROID_SERIAL, else to the only phone on USB.

        Waits some seconds for the owner to accept this computer's key. Raises DeviceUnavailableError.
        """
        return Adb(*_connected(serial))

    def shell(self, script: str, deadline_s: float) -> Output:
        """Runs a script to its end, without input; raises DeadlineError."""
        output, status = bytearray(), 0
        for kind, data in self._frames(script, deadline_s):
            if kind == _EXIT:
                status = data[0]
            else:
                output += data
        return Output(status, _text(output))

    def stream(self, script: str, deadline_s: float) -> Iterator[str]:
        """The lines of a script as they come; raises DeadlineError. Closing the iterator ends the script."""
        waiting = bytearray()
        with closing(self._frames(script, deadline_s)) as frames:
            for kind, data in frames:
                if kind == _EXIT:
                    continue
                waiting += data
                *lines, rest = waiting.split(b"\n")
                waiting = bytearray(rest)
                yield from (_text(line + b"\n")[:-1] for line in lines)
        if waiting:
            yield _text(waiting)

    def hold(self, script: str) -> None:
        """Starts a script that lives until the connection ends, which it sees as the signal HUP."""
        # Its input stays the terminal: once nobody has that open, the phone hangs up.
        self._open(b"shell,v2,pty:", "exec >/dev/null 2>&1; " + script, time.monotonic() + _START_S)

    def push(self, files: Mapping[str, Path | bytes], deadline_s: float, mode: int = 0o644) -> None:
        """Writes files, by their path on the phone. The phone gives group and others the owner's bits.

        Raises DeviceUnavailableError where the phone refuses one; that one and those after it are absent.
        """
        with self._sync(deadline_s) as (stream, until):
            push(stream, files, mode, self._link.max_payload_bytes, until)

    def pull(self, remote: str, local: Path, deadline_s: float) -> None:
        """Copies a file from the phone, whole or not at all; raises DeviceUnavailableError."""
        with self._sync(deadline_s) as (stream, until):
            content = pull(stream, remote, until)
        atomic.write_bytes(local, content)

    def reconnect(self) -> None:
        """Connects anew, once; raises DeviceUnavailableError. What was held before has ended."""
        self._link.close()
        self.serial, self._link = _connected(self.serial)

    def close(self) -> None:
        """Ends the connection and all that runs through it."""
        self._link.close()

    def _frames(self, script: str, deadline_s: float) -> Generator[tuple[int, bytes], None, None]:
        until = time.monotonic() + deadline_s
        kind = 0
        try:
            stream = self._open(b"shell,v2,pty:", "exec </dev/null; " + script, until)
            with closing(stream):
                while head := stream.read(5, until):
                    kind = head[0]
                    yield kind, stream.read(int.from_bytes(head[1:], "little"), until)
        except TimeoutError:
            self._link.check()  # the phone may be gone rather than the script slow
            raise DeadlineError(f"the phone did not end this within {deadline_s:g} s: {script}") from None
        if kind != _EXIT:
            self._link.lose("the phone ended a script without its exit status")

    @contextmanager
    def _sync(self, deadline_s: float) -> Iterator[tuple[Stream, float]]:
        until = time.monotonic() + deadline_s
        try:
            with closing(self._open(b"sync:", "", until)) as stream:
                yield stream, until
        except TimeoutError:
            self._link.check()
            message = f"the phone {self.serial} did not end a file transfer within {deadline_s:g} s"
            raise DeviceUnavailableError(message) from None

    def _open(self, service: bytes, argument: str, until: float) -> Stream:
        if "\0" in argument:
            raise ValueError("a script cannot hold a null character")
        stream = self._link.open(service + os.fsencode(argument), until)
        if stream.closed:
            name = service.decode().rstrip(":")
            raise DeviceUnavailableError(
                f"the phone {self.serial} refuses the service {name}; it needs Android 7"
            )
        return stream


def quoted(arguments: Sequence[str]) -> str:
    """The arguments as one command of a script, each taken literally."""
    return shlex.join(arguments)


def _connected(serial: str | None) -> tuple[str, Link]:
    try:
        from .adb_connect import connected
    except ImportError as error:
        if error.name is None or error.name.startswith("zenbench"):
            raise
        raise DeviceUnavailableError(
            f"phones need the package {error.name}; pip install 'zenbench[android]'"
        ) from None
    return connected(serial)


def _text(output: bytes | bytearray) -> str:
    """Output of a terminal, which turned every newline into carriage return and newline."""
    return output.replace(b"\r\n", b"\n").decode("utf-8", "replace")
