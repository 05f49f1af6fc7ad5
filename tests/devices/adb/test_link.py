"""Packets and streams where the other end is a stand-in that sends and takes bytes as it likes."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable

import pytest
from zenbench.devices.adb.link import Link, LinkLostError


def packet(name: bytes, first: int = 0, second: int = 0, data: bytes = b"") -> bytes:
    command = int.from_bytes(name, "little")
    return struct.pack("<6I", command, first, second, len(data), sum(data), command ^ 0xFFFFFFFF) + data


class Wire:
    """Gives the pieces one by one; None is silence until time is up, an error is raised."""

    def __init__(self, pieces: Iterable[bytes | BaseException | None] = ()) -> None:
        self.pieces = list(pieces)
        self.sent: list[bytes] = []
        self.closed = False
        self.failure: BaseException | None = None

    def bulk_read(self, numbytes: int, transport_timeout_s: float) -> bytes:
        piece = self.pieces.pop(0) if self.pieces else None
        if piece is None:
            raise TimeoutError
        if isinstance(piece, BaseException):
            raise piece
        assert len(piece) <= numbytes, "asked for less than a packet: USB would lose the rest"
        return piece

    def bulk_write(self, data: bytes, transport_timeout_s: float) -> int:
        if self.failure is not None:
            raise self.failure
        self.sent.append(data)
        return len(data)

    def close(self) -> None:
        self.closed = True


def soon() -> float:
    return time.monotonic() + 5


OPENED = packet(b"OKAY", 7, 1)


def test_a_packet_may_come_in_pieces_with_silence_between() -> None:
    data = packet(b"WRTE", 7, 1, b"hello")
    wire = Wire([OPENED])
    link = Link("phone", wire, 4096)
    stream = link.open("shell:", soon())
    wire.pieces = [data[:10], None, data[10:24], data[24:26], None, data[26:], packet(b"CLSE", 7, 1)]
    for _ in range(2):
        with pytest.raises(TimeoutError):
            stream.read(5, soon())
    assert stream.read(5, soon()) == b"hello"
    assert stream.read(1, soon()) == b""
    assert wire.sent[-1] == packet(b"OKAY", 1, 7)


def test_streams_keep_what_comes_while_another_is_read() -> None:
    wire = Wire([OPENED, packet(b"OKAY", 9, 2)])
    link = Link("phone", wire, 4096)
    first, second = link.open("one:", soon()), link.open("two:", soon())
    # The first ends with nothing of it waiting, which adb-shell forgets.
    for piece in (packet(b"CLSE", 7, 1), packet(b"WRTE", 9, 2, b"later")):
        wire.pieces += [piece[:24], piece[24:]] if piece[24:] else [piece]
    assert second.read(5, soon()) == b"later"
    assert first.read(1, soon()) == b"" and first.closed


@pytest.mark.parametrize(
    "junk", [bytes(24), b"HTTP/1.1 200 OK\r\nServer:", packet(b"WRTE", 7, 1, bytes(9))[:12] * 2]
)
def test_what_is_no_packet_ends_the_link(junk: bytes) -> None:
    wire = Wire([OPENED])
    link = Link("phone", wire, 4096)
    stream = link.open("shell:", soon())
    wire.pieces = [junk]
    for _ in range(2):
        with pytest.raises(LinkLostError, match=r"phone is lost: .* something that is no ADB packet"):
            stream.read(1, soon())
    assert wire.closed


@pytest.mark.parametrize(
    ("failure", "raised", "reason"),
    [
        (BrokenPipeError(32, "Broken pipe"), LinkLostError, "Broken pipe"),
        (TimeoutError(), LinkLostError, "the phone does not take what is sent to it"),
        (KeyboardInterrupt(), KeyboardInterrupt, "it was interrupted"),
    ],
)
def test_a_packet_that_could_not_be_sent_whole_is_the_last(
    failure: BaseException, raised: type[BaseException], reason: str
) -> None:
    wire = Wire([OPENED])
    link = Link("phone", wire, 4096)
    stream = link.open("sync:", soon())
    wire.failure = failure
    with pytest.raises(raised):
        stream.write(b"data", soon())
    wire.failure = None
    sent = len(wire.sent)
    with pytest.raises(LinkLostError, match=reason):
        stream.write(b"data", soon())
    stream.close()  # hides no other error
    assert len(wire.sent) == sent and wire.closed


def test_closing_hangs_up_all_streams_for_a_phone_that_cannot_see_it() -> None:
    wire = Wire([OPENED, packet(b"OKAY", 9, 2)])
    link = Link("phone", wire, 4096)
    link.open("one:", soon())
    link.open("two:", soon())
    link.close()
    assert wire.sent[-2:] == [packet(b"CLSE", 1, 7), packet(b"CLSE", 2, 9)]
    assert wire.closed
    with pytest.raises(LinkLostError, match="it was closed"):
        link.open("three:", soon())


def test_a_service_opened_too_late_is_hung_up_when_it_answers() -> None:
    wire = Wire([None, OPENED, packet(b"CLSE", 0, 1)])
    link = Link("phone", wire, 4096)
    with pytest.raises(TimeoutError):
        link.open("shell:", soon())
    assert wire.sent[-1] == packet(b"CLSE", 1, 7)
    assert not wire.closed
