"""The programs that time on a phone: where each card's is kept, and how it gets there.

A card's `[android.runner]` names `url`, the `page` it is described on, and the `sha256` where its makers
publish a fixed file. Where they do not (a nightly build changes under one address), the digest of the
first download is kept beside the file, and what no longer matches it is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from ...atomic import write_bytes, write_text
from ...errors import DeviceUnavailableError, UserError
from ...home import home
from ..card import DeviceCard

NAME = "benchmark_model"
_TIMEOUT_S = 30.0
_CHUNK_BYTES = 1 << 18
_ELF = b"\x7fELF"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a card's runner comes from; no digest where its makers publish none."""

    url: str
    page: str
    sha256: str | None


def source(card: DeviceCard) -> Source:
    """Raises UserError where a card names none."""
    data = card.details.get("android", {}).get("runner", {})
    if not isinstance(data.get("url"), str):
        raise UserError(f"the card of '{card.name}' names no runner to download; give one with --runner FILE")
    digest = data.get("sha256")
    if not (digest is None or isinstance(digest, str)):
        raise UserError(
            f"the card of '{card.name}' has the sha256 {digest!r}; write its 64 hex digits as text"
        )
    return Source(data["url"], str(data.get("page", data["url"])), digest)


def kept_path(card: DeviceCard) -> Path:
    """Where the card's runner is kept, whether it is there or not."""
    return home() / "runners" / card.name / NAME


def read_runner(card: DeviceCard, given: Path | None) -> bytes:
    """The given file, else the kept one; raises DeviceUnavailableError with how to get it."""
    path = given or kept_path(card)
    try:
        data = path.read_bytes()
    except OSError as error:
        if given:
            raise DeviceUnavailableError(f"the runner {path} cannot be read: {error.strerror}") from None
        raise DeviceUnavailableError(
            f"{card.name} has no runner yet; get it with: zenbench setup {card.name} (or give --runner FILE)"
        ) from None
    if given is None and _kept_digest(path) != sha256(data).hexdigest():
        raise DeviceUnavailableError(
            f"{path} is not the file that was downloaded; get it again with: zenbench setup {card.name}"
        )
    return data


def digest_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _kept_digest(path: Path) -> str | None:
    try:
        return digest_path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None


def download(
    card: DeviceCard,
    expected: str | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Gets the card's runner, checks it and keeps it; `report` is told bytes done and in all (0: unknown).

    `expected`: its SHA-256, where the user knows better than the card.
    """
    origin = source(card)
    if not origin.url.startswith(("https://", "http://127.0.0.1:")):
        raise UserError(f"the card of '{card.name}' gets its runner from {origin.url}, which is not https")
    try:
        with urlopen(origin.url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - checked above
            total, parts, done = int(answer.headers.get("Content-Length") or 0), [], 0
            while part := answer.read(_CHUNK_BYTES):
                parts.append(part)
                done += len(part)
                report(done, total)
    except (OSError, HTTPException, ValueError) as error:
        raise DeviceUnavailableError(
            f"the runner cannot be downloaded from {origin.url} ({error}); get benchmark_model for your "
            f"phone from {origin.page} on another computer and give it with --runner FILE"
        ) from None
    data = b"".join(parts)
    if total and len(data) != total:
        raise DeviceUnavailableError(f"the download broke off after {len(data)} of {total} bytes; try again")
    if not data.startswith(_ELF):
        raise DeviceUnavailableError(f"{origin.url} gave something that is no program; see {origin.page}")
    found, wanted = sha256(data).hexdigest(), (expected or origin.sha256 or "").lower()
    if wanted and found != wanted:
        raise DeviceUnavailableError(
            f"the downloaded runner has the SHA-256 {found}, not {wanted}; it was not kept"
        )
    path = kept_path(card)
    write_bytes(path, data)
    write_text(digest_path(path), found + "\n")
    return path
