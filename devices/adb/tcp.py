"""ADB's bytes over TCP."""

from __future__ import annotations

import errno
import socket

from adb_shell.transport.base_transport import BaseTransport

from ...errors import DeviceUnavailableError

_ADVICE = "with the phone on USB, run: adb tcpip 5555; it must be in the same network"
_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ETIMEDOUT)


class TcpTransport(BaseTransport):  # type: ignore[misc]
    """A socket that sends all, tells a closed end from silence and does not wait to fill packets.

    adb-shell's own does none of the three; without TCP_NODELAY every call waits 40 ms for an acknowledgement.
    """

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._socket: socket.socket | None = None

    def connect(self, transport_timeout_s: float) -> None:
        """Raises DeviceUnavailableError."""
        name = f"{self._address[0]}:{self._address[1]}"
        try:
            self._socket = socket.create_connection(self._address, timeout=transport_timeout_s)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except ConnectionRefusedError:
            raise DeviceUnavailableError(f"{name} refuses connections; {_ADVICE}") from None
        except (socket.gaierror, UnicodeError, OverflowError):
            raise DeviceUnavailableError(f"{name} is no address that can be found") from None
        except OSError as error:
            if isinstance(error, TimeoutError) or error.errno in _UNREACHABLE:
                raise DeviceUnavailableError(f"{name} cannot be reached; {_ADVICE}") from None
            raise DeviceUnavailableError(f"{name} cannot be reached: {error.strerror or error}") from None

    def bulk_read(self, numbytes: int, transport_timeout_s: float) -> bytes:
        data = self._connected(transport_timeout_s).recv(numbytes)
        if not data:
            raise ConnectionResetError("the phone closed it")
        return data

    def bulk_write(self, data: bytes, transport_timeout_s: float) -> int:
        self._connected(transport_timeout_s).sendall(data)
        return len(data)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self, timeout_s: float) -> socket.socket:
        if self._socket is None:
            raise ConnectionResetError("it was closed")
        self._socket.settimeout(max(timeout_s, 1e-3))  # zero would be: do not wait at all
        return self._socket
