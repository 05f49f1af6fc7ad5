"""From a phone's serial to a link: where the phone is, the handshake, and a sentence for what goes wrong."""

from __future__ import annotations

import logging
import os
import re
import time

from adb_shell import exceptions
from adb_shell.adb_device import AdbDevice
from adb_shell.transport.base_transport import BaseTransport

from ...errors import DeviceUnavailableError
from .keys import signer
from .link import Link

_ANSWER_S = 5.0  # for the phone to answer
_ACCEPT_S = 15.0  # for its owner to accept this computer's key
_HOST_PORT = re.compile(r"\[?([^\[\]]+)\]?:(\d{1,5})")

_log = logging.getLogger("zenbench")


def connected(serial: str | None) -> tuple[str, Link]:
    """The serial and a link to the phone of that serial, of ANDROID_SERIAL, or the only one on USB.

    Raises DeviceUnavailableError.
    """
    serial = serial or os.environ.get("ANDROID_SERIAL")
    address = _HOST_PORT.fullmatch(serial) if serial else None
    if serial and address:
        from .tcp import TcpTransport

        return serial, _greet(serial, TcpTransport(address[1], int(address[2])))
    serial, transport = _on_usb(serial)
    return serial, _greet(serial, transport)


def _on_usb(serial: str | None) -> tuple[str, BaseTransport]:
    try:
        from .usb import usb_phones
    except (ImportError, OSError) as error:
        advice = "pip install 'zenbench[android]'; on Linux also: apt-get install libusb-1.0-0"
        raise DeviceUnavailableError(f"phones on USB need libusb ({error}); {advice}") from None
    phones = usb_phones()
    matching = [phone for phone in phones if serial in (None, phone.serial)]
    if len(matching) == 1:
        return matching[0].serial or "on USB", matching[0].transport
    if not matching and len(phones) == 1 and phones[0].serial is None:
        return "on USB", phones[0].transport  # opening it says why it did not tell its serial
    found = ", ".join(sorted(phone.serial or "one that this user may not use" for phone in phones))
    if not phones:
        problem = f"no phone with the serial {serial} is" if serial else "no phone is"
        raise DeviceUnavailableError(
            f"{problem} on USB; switch on USB debugging in its developer options and use a cable that "
            "carries data, or name a phone on the network by HOST:PORT"
        )
    if serial is None:
        raise DeviceUnavailableError(
            f"several phones are on USB: {found}; name one with --serial or ANDROID_SERIAL"
        )
    raise DeviceUnavailableError(f"no phone with the serial {serial} is on USB; there is {found}")


def _greet(serial: str, transport: BaseTransport) -> Link:
    key = signer()  # making one takes longer than a phone does
    bounded = _Bounded(transport, _ANSWER_S)
    device = AdbDevice(bounded)
    asked = False

    def ask(_: object) -> None:
        nonlocal asked
        asked = True
        bounded.extend(_ACCEPT_S)
        _log.warning("waiting %g s: accept the dialog on the phone %s", _ACCEPT_S, serial)

    try:
        device.connect(
            rsa_keys=[key],
            transport_timeout_s=_ANSWER_S,
            auth_timeout_s=_ACCEPT_S,
            read_timeout_s=_ANSWER_S,
            auth_callback=ask,
        )
    except BaseException as error:
        transport.close()
        problem = _problem(error, asked)
        if problem is None:
            raise
        raise DeviceUnavailableError(f"{serial} {problem}") from None
    return Link(serial, transport, 2 * device.max_chunk_size)


def _problem(error: BaseException, asked: bool) -> str | None:
    """What an error of the handshake means; None: it speaks for itself."""
    if isinstance(error, OSError | exceptions.AdbTimeoutError) and asked:
        return "does not know this computer; accept the dialog on the phone and run this again"
    if isinstance(error, TimeoutError | exceptions.AdbTimeoutError):
        return "is offline: it does not answer; switch USB debugging off and on again"
    if isinstance(error, OSError):
        return "closed the connection in the handshake; it is no adbd, or switch USB debugging off and on"
    if isinstance(error, exceptions.InvalidCommandError) and "STLS" in str(error):
        return "wants the wireless debugging of Android 11, which is not spoken here; use: adb tcpip 5555"
    if isinstance(error, ValueError | exceptions.InvalidCommandError | exceptions.InvalidChecksumError):
        return "answers, but is no adbd"
    if isinstance(error, exceptions.InvalidResponseError):
        return "answers, but is no adbd"
    return None


class _Bounded(BaseTransport):  # type: ignore[misc]
    """A transport for the handshake: adb-shell bounds the wait for each packet, this bounds all of them."""

    def __init__(self, transport: BaseTransport, seconds: float) -> None:
        self._transport = transport
        self.extend(seconds)

    def extend(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def connect(self, transport_timeout_s: float) -> None:
        self._transport.connect(self._left_s(transport_timeout_s))

    def bulk_read(self, numbytes: int, transport_timeout_s: float) -> bytes:
        data: bytes = self._transport.bulk_read(numbytes, self._left_s(transport_timeout_s))
        return data

    def bulk_write(self, data: bytes, transport_timeout_s: float) -> int:
        return int(self._transport.bulk_write(data, self._left_s(transport_timeout_s)))

    def close(self) -> None:
        self._transport.close()

    def _left_s(self, timeout_s: float) -> float:
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return min(left_s, timeout_s)
