"""A phone's shell and files over ADB, each call with a deadline."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ... import atomic
from ...errors import DeviceUnavailableError
from .link import AdbStream, Link, LinkLostError
from .script import DeadlineError, hold, quoted, running, text
from .sync import pull, push

__all__ = ["Adb", "DeadlineError", "LinkLostError", "Output", "quoted"]

_START_S = 10.0


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
        """Runs a script to its end, without input; raises DeadlineError where it had to be killed."""
        with running(self._link, script, deadline_s) as run:
            while run.more():
                pass
            return Output(run.status, text(run.output))

    def stream(self, script: str, deadline_s: float) -> Iterator[str]:
        """The lines of a script as they come; raises DeadlineError. Closing the iterator ends the script."""
        with running(self._link, script, deadline_s) as run:
            unfinished = True
            while unfinished:
                unfinished = run.more()
                *lines, rest = run.output.split(b"\n")
                run.output[:] = rest
                yield from (text(line + b"\n")[:-1] for line in lines)
            if run.output:
                yield text(run.output)

    def hold(self, script: str) -> None:
        """Starts a script that lives until the connection ends, which it sees as the signal HUP."""
        hold(self._link, script, time.monotonic() + _START_S)

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

    @contextmanager
    def _sync(self, deadline_s: float) -> Iterator[tuple[AdbStream, float]]:
        until = time.monotonic() + deadline_s
        try:
            with closing(self._link.open("sync:", until)) as stream:
                yield stream, until
        except TimeoutError:
            self._link.check()
            message = f"the phone {self.serial} did not end a file transfer within {deadline_s:g} s"
            raise DeviceUnavailableError(message) from None


def _connected(serial: str | None) -> tuple[str, Link]:
    try:
        from .connect import connected
    except ImportError as error:
        if error.name is None or error.name.startswith("zenbench"):
            raise
        raise DeviceUnavailableError(
            f"phones need the package {error.name}; pip install 'zenbench[android]'"
        ) from None
    return connected(serial)
