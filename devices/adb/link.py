"""Streams over one connection to an adbd: packets with a deadline on every wait.

adb-shell's own streams are not used, because as of 0.4.4 they ignore that a socket takes a packet in parts
(which tears large ones), spin on a closed socket, drop half a packet at a timeout, never hang up on what
still runs, wait 10 s for a service that was refused, and lose what the phone says while something is pushed
and what ends a stream while another is read. Here half a packet is kept until the rest comes, and a packet
that could not be sent whole ends the link.

One thread at a time. After ctrl-C in the middle of a transfer the link may be lost: the next call says so.
"""

from __future__ import annotations

import itertools
import os
import struct
import time
from typing import NoReturn, Protocol

from ...errors import DeviceUnavailableError

_HEADER = struct.Struct("<6I")  # command, two arguments, length of the data, their sum, command inverted
_OPEN, _OKAY, _WRTE, _CLSE = (int.from_bytes(name, "little") for name in (b"OPEN", b"OKAY", b"WRTE", b"CLSE"))
_MAX_RECEIVED_BYTES = 2**20  # what adb-shell announces in the handshake
_CONFIRM_S = 3.0  # for the phone to take a packet or to confirm the end of a stream, whatever the deadline


class LinkLostError(DeviceUnavailableError):
    """The connection to a phone broke in the middle of a call, or before it."""


class Transport(Protocol):
    """Bytes to and from a phone. Both raise TimeoutError when time is up, another OSError when it is gone."""

    def bulk_read(self, numbytes: int, transport_timeout_s: float) -> bytes:
        """At most `numbytes` bytes and at least one."""
        ...

    def bulk_write(self, data: bytes, transport_timeout_s: float) -> int:
        """Sends all of it."""
        ...

    def close(self) -> None: ...


class Link:
    """A connection past its handshake. `max_payload_bytes` is the most that the phone takes in one packet."""

    def __init__(self, serial: str, transport: Transport, max_payload_bytes: int) -> None:
        self.max_payload_bytes = max_payload_bytes
        self._serial = serial
        self._transport = transport
        self._streams: dict[int, AdbStream] = {}
        self._ids = itertools.count(1)
        self._received = bytearray()  # of the packet that is coming in
        self._lost = ""

    def open(self, service: str, until: float) -> AdbStream:
        """A stream to a service; raises DeviceUnavailableError where the phone has none of that name."""
        if "\0" in service:
            raise ValueError("a script cannot hold a null character")
        stream = AdbStream(self, next(self._ids))
        self._streams[stream.local_id] = stream
        try:
            self.send(_OPEN, stream.local_id, 0, os.fsencode(service) + b"\0")
            while not stream.remote_id and not stream.closed:
                self.receive(until)
        except BaseException:
            stream.close()
            raise
        if stream.closed:
            name = service.partition(":")[0]
            raise DeviceUnavailableError(f"the phone {self._serial} refuses the service {name}")
        return stream

    def send(self, command: int, local_id: int, remote_id: int, data: bytes = b"") -> None:
        """Sends one packet, whole or never another one; raises LinkLostError."""
        self.check()
        header = _HEADER.pack(command, local_id, remote_id, len(data), sum(data), command ^ 0xFFFFFFFF)
        try:
            self._transport.bulk_write(header, _CONFIRM_S)
            if data:
                self._transport.bulk_write(data, _CONFIRM_S)
        except OSError as error:
            self.lose(_reason(error))
        except BaseException:  # ctrl-C: the phone may have half a packet
            self.drop("it was interrupted")
            raise

    def receive(self, until: float) -> None:
        """Takes one packet in and gives it to its stream; raises TimeoutError at `until`, LinkLostError."""
        self.check()
        self._fill(_HEADER.size, until)
        command, remote_id, local_id, size, _, magic = _HEADER.unpack_from(self._received)
        if command ^ 0xFFFFFFFF != magic or size > _MAX_RECEIVED_BYTES:
            self.lose("the phone sent something that is no ADB packet")
        self._fill(_HEADER.size + size, until)
        data = bytes(self._received[_HEADER.size :])
        self._received.clear()
        stream = self._streams.get(local_id)
        if stream is None:  # what was on its way when we hung up
            return
        if command == _OKAY:
            stream.remote_id, stream.ready = remote_id, True
        elif command == _WRTE:
            stream.arrived += data
            self.send(_OKAY, local_id, stream.remote_id)
        elif command == _CLSE:
            stream.closed = True
            del self._streams[local_id]

    def close(self) -> None:
        """Hangs up every stream and lets the phone go."""
        # Over USB the phone does not see that we are gone, so it is told, if it still listens.
        for stream in list(self._streams.values()):
            if stream.remote_id and not self._lost:
                try:
                    self.send(_CLSE, stream.local_id, stream.remote_id)
                except LinkLostError:
                    break
        self.drop("it was closed")

    def lose(self, reason: str) -> NoReturn:
        """Ends the link and says why."""
        self.drop(reason)
        raise self._error()

    def drop(self, reason: str) -> None:
        """Ends the link: from now on every call raises LinkLostError with the first reason."""
        self._lost = self._lost or reason
        self._transport.close()

    def check(self) -> None:
        """Raises LinkLostError where the link has ended."""
        if self._lost:
            raise self._error()

    def _error(self) -> LinkLostError:
        return LinkLostError(f"the connection to the phone {self._serial} is lost: {self._lost}")

    def _fill(self, size: int, until: float) -> None:
        # Never asks for more than belongs to this packet: USB delivers whole packets only.
        while len(self._received) < size:
            left_s = until - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            try:
                self._received += self._transport.bulk_read(size - len(self._received), left_s)
            except TimeoutError:
                raise
            except OSError as error:
                self.lose(_reason(error))


class AdbStream:
    """One service at work on the phone: `arrived` holds what it sent and nobody has read."""

    def __init__(self, link: Link, local_id: int) -> None:
        self.local_id = local_id
        self.remote_id = 0  # 0: the phone has not answered yet
        self.ready = False  # the phone has taken what was written last
        self.closed = False  # by the phone
        self.arrived = bytearray()
        self._link = link

    def read(self, size: int, until: float) -> bytes:
        """That many bytes; fewer where the phone closed the stream before."""
        while len(self.arrived) < size and not self.closed:
            self._link.receive(until)
        data = bytes(self.arrived[:size])
        del self.arrived[:size]
        return data

    def write(self, data: bytes, until: float) -> bool:
        """Writes at most `max_payload_bytes`, and waits until they are taken; False: the phone closed."""
        if self.closed:
            return False
        self.ready = False
        self._link.send(_WRTE, self.local_id, self.remote_id, data)
        while not self.ready and not self.closed:
            self._link.receive(until)
        return not self.closed

    def close(self) -> None:
        """Hangs up, which ends what runs at the other end. Never raises: a silent phone loses the link."""
        until = time.monotonic() + _CONFIRM_S
        try:
            while not self.remote_id and not self.closed:  # only then has it a number to be hung up by
                self._link.receive(until)
            if not self.closed:
                self._link.send(_CLSE, self.local_id, self.remote_id)
            while not self.closed:
                self._link.receive(until)
        except TimeoutError:
            self._link.drop("the phone does not answer any more")
        except LinkLostError:
            pass


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "the phone does not take what is sent to it"
    return error.strerror or str(error)
