"""Getting let in by a phone on the network: keys, the handshake, and one sentence for what goes wrong."""

from __future__ import annotations

import os
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from adb_shell.auth.keygen import keygen
from loopback_phone import LoopbackPhone
from zenbench.devices.adb import connect
from zenbench.devices.adb.keys import signer
from zenbench.devices.adb.phone import Adb, Output
from zenbench.errors import DeviceUnavailableError, UserError

TMP = "/data/local/tmp"


def packet(name: bytes, first: int = 0, second: int = 0, data: bytes = b"") -> bytes:
    """An ADB packet as a phone sends it."""
    command = int.from_bytes(name, "little")
    return struct.pack("<6I", command, first, second, len(data), sum(data), command ^ 0xFFFFFFFF) + data


def test_a_key_is_made_for_its_owner_only_and_kept(home: Path) -> None:
    signature = signer().Sign(bytes(20))
    folder = home / ".android"
    private, public = folder / "adbkey", folder / "adbkey.pub"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert sorted(path.name for path in folder.iterdir()) == ["adbkey", "adbkey.pub"]
    before = private.read_bytes(), public.read_bytes()
    assert signer().Sign(bytes(20)) == signature
    assert (private.read_bytes(), public.read_bytes()) == before
    public.unlink()
    signer()
    assert public.read_bytes() == before[1]


def test_the_users_own_key_is_used_as_it_is(home: Path, tmp_path: Path) -> None:
    (home / ".android").mkdir()
    keygen(str(home / ".android/adbkey"))
    text = (home / ".android/adbkey").read_bytes()
    assert signer().GetPublicKey() == (home / ".android/adbkey.pub").read_bytes()
    assert (home / ".android/adbkey").read_bytes() == text


def test_processes_that_make_a_key_at_once_agree_on_one(home: Path) -> None:
    code = "from zenbench.devices.adb.keys import signer; print(signer().Sign(bytes(20)).hex())"
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(4)]
    assert len({process.communicate()[0] for process in processes}) == 1
    assert [process.returncode for process in processes] == [0] * 4


def test_what_is_no_key_is_the_users_mistake(home: Path) -> None:
    (home / ".android").mkdir()
    (home / ".android/adbkey").write_text("not a key")
    with pytest.raises(UserError, match="adbkey is no RSA key; move it away"):
        signer()


def test_a_folder_for_keys_that_cannot_be_made_is_the_users_mistake(home: Path) -> None:
    (home / ".android").write_text("a file")
    with pytest.raises(UserError, match=r"the key for phones, .*, cannot be used: "):
        signer()


def test_a_phone_that_does_not_know_the_key_says_what_to_do(
    phone: LoopbackPhone, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connect, "_ACCEPT_S", 0.3)
    with pytest.raises(DeviceUnavailableError, match="accept the dialog on the phone and run this again"):
        Adb.connect(phone.address)
    assert f"accept the dialog on the phone {phone.address}" in caplog.text
    caplog.clear()
    phone.authorise(signer().GetPublicKey().decode())
    adb = Adb.connect(phone.address)
    assert (adb.serial, caplog.text) == (phone.address, "")
    phone.withdraw()
    with pytest.raises(DeviceUnavailableError, match="does not know this computer"):
        adb.reconnect()


def test_the_environment_names_the_phone(known_phone: LoopbackPhone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDROID_SERIAL", known_phone.address)
    assert Adb.connect().shell("echo hello", 20) == Output(0, "hello\n")


def test_debians_adb_and_this_one_are_the_same_user_of_the_same_files(
    adb: Adb, known_phone: LoopbackPhone, home: Path, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        "HOME": str(home),
        "TMPDIR": str(tmp_path),
        "PATH": os.environ["PATH"],
        "ADB_SERVER_SOCKET": f"tcp:localhost:{port}",
        "ADB_LOCAL_TRANSPORT_MAX_PORT": "5553",  # below the first emulator's: look for none
    }

    def debians(*arguments: str) -> str:
        done = subprocess.run(
            ["/usr/bin/adb", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    content = os.urandom(300_000)
    (tmp_path / "ours").write_bytes(content)
    try:
        assert f"connected to {known_phone.address}" in debians("connect", known_phone.address)
        adb.push({f"{TMP}/ours": tmp_path / "ours"}, 20)
        debians("pull", f"{TMP}/ours", str(tmp_path / "theirs"))
        assert (tmp_path / "theirs").read_bytes() == content
        debians("push", str(tmp_path / "theirs"), f"{TMP}/theirs")
        adb.pull(f"{TMP}/theirs", tmp_path / "again", 20)
        assert (tmp_path / "again").read_bytes() == content
        assert debians("shell", f"sha256sum < {TMP}/ours") == adb.shell(f"sha256sum < {TMP}/theirs", 20).text
    finally:
        debians("kill-server")


@contextmanager
def server(answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """The address of something that does `answer` with the first connection, which it then closes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with listening.accept()[0] as connection:
                answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        thread.join(10)


def silent(connection: socket.socket) -> None:
    with suppress(ConnectionResetError):
        while connection.recv(1024):  # until the other end gives up
            pass


def trickling(connection: socket.socket) -> None:
    with suppress(OSError):  # given up
        for byte in packet(b"CNXN", 0x01000000, 4096, b"device::\0"):
            connection.sendall(bytes([byte]))
            time.sleep(0.1)


def saying(data: bytes) -> Callable[[socket.socket], object]:
    def answer(connection: socket.socket) -> None:
        connection.recv(1024)
        connection.sendall(data)
        silent(connection)

    return answer


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (silent, "is offline: it does not answer; switch USB debugging off and on again"),
        (trickling, "is offline: it does not answer"),
        (saying(packet(b"CNXN", 0x01000000, 4096, b"device::\0")[:20]), "is offline: it does not answer"),
        (saying(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), "answers, but is no adbd"),
        (saying(bytes(range(200, 256)) * 20), "answers, but is no adbd"),
        (saying(packet(b"AUTH", 9, 0, bytes(20))), "answers, but is no adbd"),
        (saying(packet(b"CNXN", 0x01000000, 4096, b"x" * 100)[:-50] + bytes(50)), "answers, but is no adbd"),
        (saying(packet(b"STLS", 0x01000000)), "wireless debugging of Android 11, .* adb tcpip 5555"),
        (lambda connection: None, "closed the connection in the handshake"),
        (lambda connection: connection.recv(1024), "closed the connection in the handshake"),
    ],
)
def test_what_is_no_phone_ends_in_one_sentence_in_time(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[socket.socket], object], sentence: str
) -> None:
    monkeypatch.setattr(connect, "_ANSWER_S", 1.5)
    with server(answer) as address, pytest.raises(DeviceUnavailableError, match=sentence) as refused:
        Adb.connect(address)
    assert str(refused.value).startswith(address)


@pytest.mark.usefixtures("home")
def test_the_dialog_on_the_phone_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    def owner(connection: socket.socket) -> None:
        connection.sendall(packet(b"AUTH", 1, 0, bytes(20)))
        connection.sendall(packet(b"AUTH", 1, 0, bytes(20)))
        while b"@" not in connection.recv(4096):  # the public key, with its owner's name
            pass
        time.sleep(0.3)
        connection.sendall(packet(b"CNXN", 0x01000000, 2**20, b"device::\0"))
        silent(connection)

    with server(owner) as address:
        Adb.connect(address).close()
    assert "accept the dialog on the phone" in caplog.text


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("no.such.host.invalid:5555", "is no address that can be found"),
        ("127.0.0.1:99999", "refuses connections; .* adb tcpip 5555; .* same network|is no address"),
    ],
)
def test_an_address_without_a_phone_says_what_to_do(address: str, sentence: str) -> None:
    with pytest.raises(DeviceUnavailableError, match=sentence):
        Adb.connect(address)


@pytest.mark.usefixtures("home")
def test_a_closed_port_says_how_a_phone_opens_it() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
        with pytest.raises(DeviceUnavailableError, match=r"refuses .* adb tcpip 5555; .* same network"):
            Adb.connect(address)


def without(monkeypatch: pytest.MonkeyPatch, package: str, *modules: str) -> None:
    """As if a package were not installed, for modules of ours that import it."""
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    for module in modules:
        monkeypatch.delitem(sys.modules, f"zenbench.devices.adb.{module}", raising=False)


def test_without_adb_shell_the_command_that_installs_it_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "adb_shell", "connect", "keys")
    with pytest.raises(
        DeviceUnavailableError, match=r"need the package adb.shell; pip install 'zenbench\[android\]'"
    ):
        Adb.connect("127.0.0.1:1")


def test_without_libusb_phones_on_the_network_still_work(
    known_phone: LoopbackPhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "usb1", "usb")
    with pytest.raises(DeviceUnavailableError, match=r"need libusb .*pip install 'zenbench\[android\]'"):
        Adb.connect("ABC")
    assert Adb.connect(known_phone.address).shell("echo hello", 20).text == "hello\n"


def test_the_link_is_loaded_only_when_a_phone_is_connected_to() -> None:
    code = (
        "import sys, zenbench.devices.adb; print(*{'adb_shell', 'cryptography', 'usb1'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
