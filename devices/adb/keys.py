"""The RSA key that a phone knows this user by: the one that Android's own adb keeps and makes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from adb_shell.auth.keygen import write_public_keyfile
from adb_shell.auth.sign_cryptography import CryptographySigner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ...errors import UserError


def signer() -> CryptographySigner:
    """Signs with `~/.android/adbkey`, which is made where it is absent; raises UserError where that fails."""
    path = Path.home() / ".android" / "adbkey"
    public = path.with_name("adbkey.pub")
    try:
        if not path.exists():
            _make(path)
        if not public.exists():
            _write_public(path, public)
        return CryptographySigner(str(path))
    except OSError as error:
        place = error.filename or path
        raise UserError(f"the key for phones, {place}, cannot be used: {error.strerror}") from None
    except (ValueError, TypeError):
        raise UserError(f"{path} is no RSA key; move it away and a new one is made") from None


def _make(path: Path) -> None:
    # Not adb-shell's keygen: it writes the private key for everybody to read.
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".adbkey.")  # for the owner only
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
        os.link(temporary, path)  # unlike a rename, never over a key that another process has just made
    except FileExistsError:
        pass
    finally:
        Path(temporary).unlink()


def _write_public(private: Path, public: Path) -> None:
    temporary = public.with_name(f".{public.name}.{os.getpid()}.tmp")
    write_public_keyfile(str(private), str(temporary))
    temporary.replace(public)
