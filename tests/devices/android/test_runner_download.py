"""Getting a phone's runner: from a server of the test's own, whole and unchanged or not at all."""

from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from places import ROOT
from zenbench.devices.android.runner_download import download, kept_path, read_runner
from zenbench.devices.card import DeviceCard, card, read_card
from zenbench.errors import DeviceUnavailableError, UserError

PROGRAM = b"\x7fELF" + bytes(range(256)) * 4000
CARD = ROOT / "devices/cards/pixel2.toml"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, length, body = {
            "/good": (200, len(PROGRAM), PROGRAM),
            "/cut": (200, len(PROGRAM), PROGRAM[:-9]),
            "/page": (200, 5, b"<html"),
        }.get(self.path, (404, 0, b""))
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.setenv("ZENBENCH_HOME", str(tmp_path / "home"))
    with HTTPServer(("127.0.0.1", 0), Handler) as found:
        Thread(target=found.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()


def pointed(tmp_path: Path, url: str, more: str = "") -> DeviceCard:
    lines = CARD.read_text().splitlines()
    text = "\n".join(f'url = "{url}"\n{more}' if line.startswith("url =") else line for line in lines)
    (tmp_path / "card.toml").write_text(text)
    return read_card(tmp_path / "card.toml")


def test_what_is_downloaded_is_kept_with_its_digest(server: str, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = pointed(tmp_path, f"{server}/good")
    path = download(found, None, lambda done, total: seen.append((done, total)))
    assert path == kept_path(found) and path.read_bytes() == PROGRAM == read_runner(found, None)
    assert seen[-1] == (len(PROGRAM), len(PROGRAM)) and len(seen) > 1
    path.write_bytes(PROGRAM[:-1])
    with pytest.raises(DeviceUnavailableError, match="not the file that was downloaded"):
        read_runner(found, None)
    path.with_name(path.name + ".sha256").unlink()
    with pytest.raises(DeviceUnavailableError, match="not the file that was downloaded"):
        read_runner(found, None)


def test_digests_that_are_known_are_held_against_it(server: str, tmp_path: Path) -> None:
    right, wrong = sha256(PROGRAM).hexdigest(), "0" * 64
    assert download(pointed(tmp_path, f"{server}/good", f'sha256 = "{right}"')).exists()
    assert download(pointed(tmp_path, f"{server}/good"), right.upper()).exists()
    kept_path(card("pixel2")).unlink()
    for found, expected in (
        (pointed(tmp_path, f"{server}/good", f'sha256 = "{wrong}"'), None),
        (pointed(tmp_path, f"{server}/good"), wrong),
    ):
        with pytest.raises(DeviceUnavailableError, match=f"SHA-256 {right}, not {wrong}"):
            download(found, expected)
        assert not kept_path(found).exists()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/cut", "broke off|cannot be downloaded"),
        ("/page", "no program"),
        ("/none", r"cannot be .*--runner FILE"),
    ],
)
def test_what_is_no_whole_program_is_not_kept(server: str, tmp_path: Path, path: str, reason: str) -> None:
    found = pointed(tmp_path, server + path)
    with pytest.raises(DeviceUnavailableError, match=reason):
        download(found)
    assert not kept_path(found).exists()


def test_offline_it_says_where_to_get_it(server: str, tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailableError, match=r"measurement on another computer .*--runner FILE"):
        download(pointed(tmp_path, "http://127.0.0.1:1/x"))


@pytest.mark.parametrize("url", ["http://example.com/x", "file:///etc/passwd", "ftp://example.com/x"])
def test_other_ways_than_https_are_refused(server: str, tmp_path: Path, url: str) -> None:
    with pytest.raises(UserError, match="not https"):
        download(pointed(tmp_path, url))


def test_a_digest_that_is_no_text_is_refused(server: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has the sha256 5; write its 64 hex digits as text"):
        download(pointed(tmp_path, server, "sha256 = 5"))


def test_a_card_without_a_runner_is_told(server: str) -> None:
    with pytest.raises(UserError, match="names no runner"):
        download(card("host"))
