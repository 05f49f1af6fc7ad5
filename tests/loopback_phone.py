"""A phone for tests: Android's real adbd with real RSA authentication, on a loopback port.

Each phone lives in a mount and a process namespace of its own: it has its own disk `/data/local/tmp`, the
files of a Pixel 2 (`pixel_2.py`) where Android has them, and the programs and libraries of this machine. The
daemon, and the program that stands in for Google's benchmark_model, are built by `adbd/build.sh`. Needs
Linux, and root or user namespaces.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from pixel_2 import Pixel2
from slow_link import slow_link

ADBD = Path(__file__).parent / "adbd"
WAIT_S = 20.0


def build() -> Path:
    """The folder with `adbd` and `benchmark_model`, built where that has not happened yet."""
    folder, failure = _built(ADBD)
    if failure:
        raise RuntimeError(failure)
    return folder


@functools.cache  # a failure too: what cannot be built is tried once, not by every test
def _built(source: Path) -> tuple[Path, str]:
    litert = _litert_folder()
    parts = [(source / name).read_bytes() for name in ("build.sh", "runner.cpp")]
    parts.append(importlib.metadata.version("ai-edge-litert").encode())
    folder = source / "build" / hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    folder.parent.mkdir(exist_ok=True)
    with FileLock(folder.parent / "lock"):
        if not folder.exists():
            log = folder.parent / "log"
            with log.open("w") as output:
                command = ["/bin/bash", str(source / "build.sh"), str(folder), str(litert)]
                status = subprocess.run(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
                )
            if status.returncode != 0:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                return folder, f"the loopback phone cannot be built; {log} ends with:\n{tail}"
    return folder, ""


def _litert_folder() -> Path:
    spec = importlib.util.find_spec("ai_edge_litert")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package ai-edge-litert is missing; install it with: make setup")
    return Path(spec.origin).parent


@dataclass(frozen=True)
class Process:
    """A process on a phone: its number on this machine and its arguments."""

    pid: int
    arguments: list[str]


class LoopbackPhone:
    """One phone, up until `close()`, to be used as a context manager.

    `root`, which must not exist, becomes the root of its file system, so that its files can be read there,
    but for those of the disk `/data/local/tmp`: see `files()`. `pixel` sets what it is and how it is doing.
    """

    def __init__(self, root: Path, *, disk_bytes: int = 256 * 2**20) -> None:
        self.root = root
        self._lay_out(build())
        self.pixel = Pixel2(root)
        self.withdraw()
        # Bound and never listened on: nobody else is given the port while the daemon is down.
        self._reservation = socket.socket()
        self._reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reservation.bind(("127.0.0.1", 0))
        self.port: int = self._reservation.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self._daemon: subprocess.Popen[bytes] | None = None
        self._first, self._pid = self._boot(disk_bytes)
        try:
            self.restart()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> LoopbackPhone:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def authorise(self, public_key: str) -> None:
        """Accepts a key, as the owner of the phone does in its dialog. Keys are as in `adbkey.pub`."""
        with self._keys.open("a") as keys:
            # A key file ends without a newline, which separates keys here.
            keys.write(public_key.strip() + "\n")

    def withdraw(self) -> None:
        """Takes all keys back. As on a phone, connections that are up stay up."""
        self._keys.write_text("")

    def kill(self) -> None:
        """Kills the daemon. What it had started goes on, as far as it can."""
        for process in self._all_processes():
            if process.arguments == ["/system/bin/adbd"]:
                os.kill(process.pid, signal.SIGKILL)
        if self._daemon is not None:
            self._daemon.wait(WAIT_S)

    def restart(self) -> None:
        """Starts the daemon on the same port, after killing the one before, and waits until it listens."""
        self.kill()
        environment = {"PATH": "/system/bin:/usr/bin", "ANDROID_ROOT": "/system", "ANDROID_DATA": "/data"}
        with self._log.open("ab") as log:
            self._daemon = subprocess.Popen(
                [*self._enter("--pid"), "/system/bin/adbd"],
                env=environment | {"ADBD_PORT": str(self.port)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + WAIT_S
        while True:
            with (
                contextlib.suppress(ConnectionRefusedError),
                socket.create_connection(("127.0.0.1", self.port)),
            ):
                return
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("adbd does not start:\n" + self._log.read_text(errors="replace")[-2000:])
            time.sleep(0.002)

    def set_read_only(self, *, read_only: bool) -> None:
        """Makes the disk `/data/local/tmp` read-only, or writable again."""
        remount = ["/usr/bin/mount", "-o", f"remount,{'ro' if read_only else 'rw'}", "/data/local/tmp"]
        subprocess.run([*self._enter(), *remount], check=True)

    def slow(self, delay_s: float) -> contextlib.AbstractContextManager[str]:
        """Another address of the phone, for a `with`, where every packet takes `delay_s` longer."""
        return slow_link(self.port, delay_s)

    def processes(self) -> list[Process]:
        """What was started through the phone and still runs."""
        return [
            process
            for process in self._all_processes()
            if process.pid != self._pid and process.arguments != ["/system/bin/adbd"]
        ]

    def files(self) -> list[str]:
        """Everything under `/data/local/tmp`, relative to it and sorted; folders end in a slash."""
        disk = f"/proc/{self._pid}/root/data/local/tmp"
        found: list[str] = []
        for folder, folders, names in os.walk(disk):  # which passes over what the phone removes meanwhile
            here = Path(folder).relative_to(disk)
            found += [f"{here / name}/" for name in folders] + [str(here / name) for name in names]
        return sorted(found)

    def close(self) -> None:
        """Ends the phone: all its processes die with the first one, and its mounts go with them."""
        if self._first.stdin is not None:
            self._first.stdin.close()
        self._first.wait(WAIT_S)
        if self._daemon is not None:
            self._daemon.wait(WAIT_S)
        self._reservation.close()

    @property
    def _keys(self) -> Path:
        return self.root / "data/misc/adb/adb_keys"

    @property
    def _log(self) -> Path:
        return self.root / "adbd.log"

    def _lay_out(self, parts: Path) -> None:
        for folder in (
            "data/local/tmp",
            "data/misc/adb",
            "dev/pts",
            "etc",
            "old",
            "proc",
            "system/bin",
            "usr",
        ):
            (self.root / folder).mkdir(parents=True)
        for name in ("bin", "lib", "lib64"):
            (self.root / name).symlink_to(f"usr/{name}")
        for name in ("null", "random", "tty", "urandom", "zero"):
            (self.root / "dev" / name).touch()
        (self.root / "dev/ptmx").symlink_to("pts/ptmx")
        (self.root / "etc/passwd").write_text("shell:x:0:0:shell:/:/system/bin/sh\n")
        (self.root / "system/bin/sh").symlink_to("/usr/bin/dash")
        shutil.copy(parts / "adbd", self.root / "system/bin/adbd")
        (self.root / "system/lib64").mkdir()
        (self.root / "system/lib64/libLiteRt.so").touch()

    def _boot(self, disk_bytes: int) -> tuple[subprocess.Popen[str], int]:
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        unshare = ["/usr/bin/unshare", "--mount", "--pid", "--fork", *user, "/bin/sh", str(ADBD / "phone.sh")]
        first = subprocess.Popen(
            [*unshare, str(self.root), str(_litert_folder() / "libLiteRt.so"), str(disk_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert first.stdout is not None
        pid, ready = first.stdout.readline(), first.stdout.readline()
        if ready != "ready\n":
            raise RuntimeError(f"there is no namespace for a phone here: {first.communicate()[1].strip()}")
        return first, int(pid)

    def _enter(self, *namespaces: str) -> list[str]:
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        return ["/usr/bin/nsenter", "--target", str(self._pid), "--mount", *namespaces, *user]

    def _all_processes(self) -> list[Process]:
        namespace = Path(f"/proc/{self._pid}/ns/pid").readlink()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            # An error: it is gone, or not ours to see, or a zombie, which has no namespace any more.
            with contextlib.suppress(FileNotFoundError, PermissionError, ProcessLookupError):
                if (entry / "ns/pid").readlink() == namespace:
                    arguments = (entry / "cmdline").read_text(errors="replace").split("\0")[:-1]
                    if arguments:
                        found.append(Process(int(entry.name), arguments))
        return found
