"""The link to the loopback phone, with a key that it knows."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback_phone import LoopbackPhone
from zenbench.devices.adb import Adb
from zenbench.devices.adb_keys import signer


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for the user, without a key in it, and no phone named."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    return folder


@pytest.fixture
def known_phone(phone: LoopbackPhone, home: Path) -> LoopbackPhone:
    """A phone that has accepted the user's key."""
    phone.authorise(signer().GetPublicKey().decode())
    return phone


@pytest.fixture
def adb(known_phone: LoopbackPhone) -> Iterator[Adb]:
    """A connection to that phone."""
    adb = Adb.connect(known_phone.address)
    yield adb
    adb.close()
