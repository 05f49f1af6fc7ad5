"""A slow link for tests: a forwarding port on the loopback address where every packet takes longer."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator


@contextlib.contextmanager
def slow_link(port: int, delay_s: float) -> Iterator[str]:
    """The address of a port that forwards to `port`, and holds every packet, either way, for `delay_s`."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server, port, delay_s, stop), daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            stop.set()
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(server: socket.socket, port: int, delay_s: float, stop: threading.Event) -> None:
    with contextlib.ExitStack() as ends:
        while not stop.is_set():
            try:
                client = server.accept()[0]
            except OSError:  # the link is being taken down
                continue
            try:
                phone = socket.create_connection(("127.0.0.1", port))
            except OSError:  # the phone is down: the client sees its end closed
                client.close()
                continue
            for end in (client, phone):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                # A close would not be seen while a thread still reads there.
                ends.callback(_hang_up, end)
            for source, sink in ((client, phone), (phone, client)):
                threading.Thread(target=_pump, args=(source, sink, delay_s), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket, delay_s: float) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(2**16):
            time.sleep(delay_s)
            sink.sendall(data)
    for end in (source, sink):
        _hang_up(end)


def _hang_up(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
