"""The loopback phone for whatever test asks for it, and signals that mean what they mean in a terminal."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback_phone import LoopbackPhone, build

# Whoever runs the tests in the background or under nohup has these ignored, and all children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[LoopbackPhone]:
    """A Pixel 2 without a key, gone when the test ends however it ends."""
    with LoopbackPhone(tmp_path / "phone") as phone:
        yield phone


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A user with a home and an ADB key of their own; the public key."""
    from zenbench.devices.adb.keys import signer

    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("ZENBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    return str(signer().GetPublicKey().decode())


@pytest.fixture
def own_phone(phone: LoopbackPhone, user: str) -> LoopbackPhone:
    """A Pixel 2 that has accepted the user's key."""
    phone.authorise(user)
    return phone


@pytest.fixture
def runner() -> Path:
    """The program that stands in for Google's benchmark_model."""
    return build() / "benchmark_model"
