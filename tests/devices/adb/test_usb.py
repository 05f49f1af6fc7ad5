"""Phones on USB, where stand-ins take the place of libusb: which one is meant, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import usb1
from adb_shell.transport import usb_transport
from zenbench.devices.adb import connect, usb
from zenbench.devices.adb.phone import Adb
from zenbench.devices.adb.usb import UsbPhone, UsbTransport
from zenbench.errors import DeviceUnavailableError


class Found:
    """A phone as it is found on USB."""

    def __init__(self, serial: str | None) -> None:
        self._serial = serial

    @property
    def serial_number(self) -> str:
        if self._serial is None:
            raise usb1.USBErrorAccess
        return self._serial


@pytest.mark.parametrize(
    ("found", "serial", "sentence"),
    [
        ([], None, "^no phone is on USB; switch on USB debugging"),
        ([], "ABC", "^no phone with the serial ABC is on USB; switch on USB debugging"),
        (["B", "A"], None, "^several phones are on USB: A, B; name one with --serial or ANDROID_SERIAL$"),
        (["A", None], None, "several phones are on USB: A, one that this user may not use;"),
        (["A", "B"], "C", "^no phone with the serial C is on USB; there is A, B$"),
        (["A"], "a", "^no phone with the serial a is on USB; there is A$"),
    ],
)
def test_a_phone_on_usb_must_be_one_and_be_known(
    home: Path, monkeypatch: pytest.MonkeyPatch, found: list[str | None], serial: str | None, sentence: str
) -> None:
    monkeypatch.setattr(UsbTransport, "find_all_adb_devices", lambda: iter([Found(name) for name in found]))
    with pytest.raises(DeviceUnavailableError, match=sentence):
        Adb.connect(serial)


@pytest.mark.parametrize(
    ("found", "serial", "variable", "chosen"),
    [
        (["A"], None, None, "A"),
        (["A", "B"], "B", None, "B"),
        (["A", "B"], None, "A", "A"),
        (["A", "B"], "B", "A", "B"),
        (["A", None], "A", None, "A"),
        ([None], "A", None, "on USB"),
    ],
)
def test_the_phone_that_was_meant_is_taken(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    found: list[str | None],
    serial: str | None,
    variable: str | None,
    chosen: str,
) -> None:
    transports = [Found(name) for name in found]
    monkeypatch.setattr(UsbTransport, "find_all_adb_devices", lambda: iter(transports))
    taken = []
    monkeypatch.setattr(connect, "_greet", lambda serial, transport: taken.append((serial, transport)))
    if variable:
        monkeypatch.setenv("ANDROID_SERIAL", variable)
    assert Adb.connect(serial).serial == chosen
    index = found.index(chosen) if chosen in found else 0
    assert taken == [(chosen, transports[index])]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (usb1.USBErrorAccess, "may not use the phone on USB; .* udev rule .* plug the phone in again"),
        (usb1.USBErrorBusy, "holds the phone's USB interface; stop an adb server with: adb kill-server"),
        (usb1.USBErrorNoDevice, "does not open: it was unplugged; plug it in again"),
        (usb1.USBErrorIO, "does not open: .*; plug it in again"),
    ],
)
def test_a_usb_interface_that_does_not_open_says_what_to_do(
    home: Path, monkeypatch: pytest.MonkeyPatch, error: type[usb1.USBError], sentence: str
) -> None:
    transport = UsbTransport(None, None)

    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(usb, "usb_phones", lambda: [UsbPhone("A", transport)])
    monkeypatch.setattr(usb_transport.UsbTransport, "connect", refuse)
    with pytest.raises(DeviceUnavailableError, match=sentence):
        Adb.connect("A")


class Handle:
    """libusb's handle of an open interface: `reads` are bytes, or errors with the bytes that came before."""

    def __init__(self, reads: list[bytes | usb1.USBError]) -> None:
        self.reads = reads
        self.timeouts_ms: list[int] = []

    def bulkRead(self, endpoint: int, length: int, timeout: int) -> bytes:  # noqa: N802
        self.timeouts_ms.append(timeout)
        answer = self.reads.pop(0) if self.reads else out_of_time()
        if isinstance(answer, usb1.USBError):
            raise answer
        return answer

    def bulkWrite(self, endpoint: int, data: bytes, timeout: int) -> int:  # noqa: N802
        self.timeouts_ms.append(timeout)
        answer = self.reads.pop(0)
        if isinstance(answer, usb1.USBError):
            raise answer
        return len(data)


def out_of_time(received: bytes = b"") -> usb1.USBError:
    error = usb1.USBErrorTimeout()
    error.received = received
    return error


def opened(
    monkeypatch: pytest.MonkeyPatch, reads: list[bytes | usb1.USBError]
) -> tuple[UsbTransport, Handle]:
    monkeypatch.setattr(UsbTransport, "usb_info", "A")
    transport, handle = UsbTransport(None, None), Handle(reads)
    transport._transport = handle
    return transport, handle


def test_usb_keeps_what_arrived_before_time_was_up(monkeypatch: pytest.MonkeyPatch) -> None:
    transport, handle = opened(monkeypatch, [out_of_time(), out_of_time(b"half"), b"rest"])
    assert transport.bulk_read(8, 5.0) == b"half"
    assert transport.bulk_read(4, 0.0001) == b"rest"
    assert all(1 <= milliseconds <= 500 for milliseconds in handle.timeouts_ms)  # 0 would be for ever
    with pytest.raises(TimeoutError):
        transport.bulk_read(4, 0.0001)


def test_usb_tells_a_phone_that_is_gone_from_one_that_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    transport, handle = opened(
        monkeypatch, [usb1.USBErrorNoDevice(), usb1.USBErrorNoDevice(), out_of_time(), b""]
    )
    with pytest.raises(ConnectionError, match="it was unplugged"):
        transport.bulk_read(4, 1.0)
    with pytest.raises(ConnectionError, match="it was unplugged"):
        transport.bulk_write(b"data", 1.0)
    with pytest.raises(TimeoutError):
        transport.bulk_write(b"data", 1.0)
    assert transport.bulk_write(b"data", 0.0) == 4
    assert handle.timeouts_ms[-1] == 1


def test_usb_throws_away_what_a_killed_process_left_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    transport, handle = opened(monkeypatch, [b"stale", b"bytes"])
    monkeypatch.setattr(usb_transport.UsbTransport, "connect", lambda *_: None)
    transport.connect(1.0)
    assert handle.reads == []
    handle.reads = [usb1.USBErrorPipe()]
    with pytest.raises(DeviceUnavailableError, match="cannot be read"):
        transport.connect(1.0)
