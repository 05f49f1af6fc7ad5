"""ADB's file transfer on a stream to `sync:`: files in both directions, and what a refusal means."""

from __future__ import annotations

import os
import stat
import struct
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ...errors import DeviceUnavailableError, UserError
from .link import AdbStream, LinkLostError

_REQUEST = struct.Struct("<4sI")
_MAX_DATA_BYTES = 2**16
_REFUSALS = {
    "No space left on device": "the phone has no space left; free some",
    "Disk quota exceeded": "the phone has no space left; free some",
    "Read-only file system": "that folder of the phone is read-only",
    "Permission denied": "the phone does not allow it",
    "No such file or directory": "there is no such file on the phone",
}


def push(
    stream: AdbStream, files: Mapping[str, Path | bytes], mode: int, max_payload_bytes: int, until: float
) -> None:
    """Writes the files on the phone, in order, with folders where they are missing.

    All requests go out in full packets without a wait for the answer to each file: adb-shell opens a stream
    for each. The phone removes what it has of a refused file and never sees those after it.
    """
    for packet in _packets(_requests(files, mode), max_payload_bytes):
        # The answers are OKAYs and at most one FAIL, which is the last.
        if not stream.write(packet, until) or b"FAIL" in stream.arrived:
            break
    for remote in files:
        name, size = _answer(stream, until)
        if name != b"OKAY":
            raise _refusal(remote, name, stream.read(size, until))


def pull(stream: AdbStream, remote: str, until: float) -> bytes:
    """The content of a file on the phone."""
    path = _path(remote)
    stream.write(_REQUEST.pack(b"RECV", len(path)) + path, until)
    content = bytearray()
    while True:
        name, size = _answer(stream, until)
        if name == b"DONE":
            return bytes(content)
        data = stream.read(size, until)
        if name != b"DATA" or len(data) < size:
            raise _refusal(remote, name, data)
        content += data


def _answer(stream: AdbStream, until: float) -> tuple[bytes, int]:
    head = stream.read(_REQUEST.size, until)
    if len(head) < _REQUEST.size:
        raise LinkLostError("the phone ended a file transfer without an answer")
    name, size = _REQUEST.unpack(head)
    return name, size


def _refusal(remote: str, name: bytes, reason: bytes) -> DeviceUnavailableError:
    text = reason.decode(errors="replace") if name == b"FAIL" else f"unexpected answer {name!r}"
    known = [sentence for errno_text, sentence in _REFUSALS.items() if text.endswith(errno_text)]
    return DeviceUnavailableError(f"{remote}: {known[0] if known else f'the phone says: {text}'}")


def _requests(files: Mapping[str, Path | bytes], mode: int) -> Iterator[bytes]:
    for remote, content in files.items():
        # The phone cuts at the last comma, so a name may hold commas.
        target = b"%s,%d" % (_path(remote), stat.S_IFREG | mode)
        yield _REQUEST.pack(b"SEND", len(target)) + target
        for data in _chunks(content):
            yield _REQUEST.pack(b"DATA", len(data)) + data
        yield _REQUEST.pack(b"DONE", int(time.time()))


def _path(remote: str) -> bytes:
    if "\0" in remote:
        raise ValueError("a file name cannot hold a null character")
    return os.fsencode(remote)


def _chunks(content: Path | bytes) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield from (content[at : at + _MAX_DATA_BYTES] for at in range(0, len(content), _MAX_DATA_BYTES))
        return
    try:
        with content.open("rb") as file:
            while data := file.read(_MAX_DATA_BYTES):
                yield data
    except OSError as error:
        raise UserError(f"{content} cannot be read: {error.strerror}") from None


def _packets(requests: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in packets of that size, but for the last."""
    waiting = bytearray()
    for request in requests:
        waiting += request
        while len(waiting) >= size:
            yield bytes(waiting[:size])
            del waiting[:size]
    if waiting:
        yield bytes(waiting)
