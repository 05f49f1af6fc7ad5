"""ADB's bytes over USB, and which phones are there: all that knows of libusb.

No phone was at hand to try this on; its tests stand in for libusb.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import usb1
from adb_shell.exceptions import UsbReadFailedError, UsbWriteFailedError
from adb_shell.transport import usb_transport

from ...errors import DeviceUnavailableError

_SLICE_S = 0.5  # libusb holds ctrl-C back while it waits
_STALE_S = 0.05


class UsbTransport(usb_transport.UsbTransport):  # type: ignore[misc]
    """A phone's ADB interface, with the errors of a transport.

    adb-shell's own drops what had arrived when a read ran out of time, and takes less than 1 ms for no limit.
    """

    def connect(self, transport_timeout_s: float) -> None:
        """Raises DeviceUnavailableError."""
        try:
            super().connect(transport_timeout_s)
        except usb1.USBError as error:
            raise DeviceUnavailableError(_refusal(error)) from None
        # What the phone still had for a process that was killed would be read as its answer to our greeting.
        try:
            while self.bulk_read(2**14, _STALE_S):
                pass
        except TimeoutError:
            pass
        except OSError as error:
            raise DeviceUnavailableError(f"the phone on USB cannot be read: {error}") from None

    def bulk_read(self, numbytes: int, transport_timeout_s: float) -> bytes:
        until = time.monotonic() + transport_timeout_s
        while True:
            left_s = until - time.monotonic()
            try:
                data: bytes = super().bulk_read(numbytes, min(max(left_s, 1e-3), _SLICE_S))
            except UsbReadFailedError as error:
                if not isinstance(error.usb_error, usb1.USBErrorTimeout):
                    raise ConnectionResetError(_cause(error.usb_error)) from None
                data = bytes(error.usb_error.received)
            if data:
                return data
            if time.monotonic() >= until:
                raise TimeoutError

    def bulk_write(self, data: bytes, transport_timeout_s: float) -> int:
        try:
            return int(super().bulk_write(data, max(transport_timeout_s, 1e-3)))
        except UsbWriteFailedError as error:
            if isinstance(error.args[1], usb1.USBErrorTimeout):
                raise TimeoutError from None
            raise ConnectionResetError(_cause(error.args[1])) from None


@dataclass(frozen=True, slots=True)
class UsbPhone:
    """A phone on USB; `serial` is None where this user may not ask for it."""

    serial: str | None
    transport: UsbTransport


def usb_phones() -> list[UsbPhone]:
    """Every phone on USB that offers debugging; raises DeviceUnavailableError where USB cannot be read."""
    try:
        return [UsbPhone(_serial(found), found) for found in UsbTransport.find_all_adb_devices()]
    except usb1.USBError as error:
        raise DeviceUnavailableError(f"USB cannot be read: {_cause(error)}") from None


def _serial(transport: UsbTransport) -> str | None:
    try:
        return str(transport.serial_number)
    except usb1.USBError:
        return None


def _refusal(error: usb1.USBError) -> str:
    if isinstance(error, usb1.USBErrorAccess):
        return (
            "this user may not use the phone on USB; install the package android-sdk-platform-tools-common, "
            "or a udev rule of your own for it, and plug the phone in again"
        )
    if isinstance(error, usb1.USBErrorBusy):
        return "another program holds the phone's USB interface; stop an adb server with: adb kill-server"
    return f"the phone on USB does not open: {_cause(error)}; plug it in again"


def _cause(error: usb1.USBError | None) -> str:
    return "it was unplugged" if isinstance(error, usb1.USBErrorNoDevice) else str(error or "it was closed")
