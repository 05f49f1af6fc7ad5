"""Shell and link on the loopback phone: what comes back, what is left there, and what breaks."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from loopback_phone import LoopbackPhone
from waiting import eventually, later
from zenbench.devices.adb import connect, link
from zenbench.devices.adb.phone import Adb, DeadlineError, LinkLostError, Output
from zenbench.errors import DeviceError, DeviceUnavailableError

TMP = "/data/local/tmp"
# Pipelines, children and a background process: all that a script can leave behind.
LONG = "sleep 301 | cat & (sleep 302; true) & sleep 303 | cat"


@pytest.mark.parametrize(
    ("script", "status", "text"),
    [
        ("echo hello", 0, "hello\n"),
        ("printf hello", 0, "hello"),
        ("true", 0, ""),
        ("false", 1, ""),
        ("echo before; exit 3; echo after", 3, "before\n"),
        ("echo hello # and no more", 0, "hello\n"),
        ("cat <<END\nhello\nEND", 0, "hello\n"),
        ("exec sh -c 'exit 7'", 7, ""),
        ("set -e; false; echo no", 1, ""),
        ("no-such-command 2>/dev/null", 127, ""),
        ("sh -c 'kill -9 $$'", 137, "Killed\n"),
        ("echo out; echo err >&2; echo out", 0, "out\nerr\nout\n"),
        ("exec >/dev/null 2>&1; echo hidden; exit 5", 5, ""),
        ('cat; read line; echo "$line."', 0, ".\n"),
        (r"printf 'a\377b\n'", 0, "a\N{REPLACEMENT CHARACTER}b\n"),
        (r"printf 'a\r\nb\n\tc\004\003\n'", 0, "a\r\nb\n\tc\x04\x03\n"),
        ("printf '%0300d|\\n' 0", 0, f"{'0' * 300}|\n"),
        ("sleep 100 & echo started", 0, "started\n"),
        ("echo 'h\N{LATIN SMALL LETTER E WITH ACUTE}llo'", 0, "h\N{LATIN SMALL LETTER E WITH ACUTE}llo\n"),
    ],
)
def test_a_script_gives_its_status_and_all_its_output(adb: Adb, script: str, status: int, text: str) -> None:
    assert adb.shell(script, 20) == Output(status, text)


@pytest.mark.parametrize("script", ["(", "if true", "echo 'open", "fi"])
def test_what_is_no_script_fails_and_says_so(adb: Adb, script: str) -> None:
    output = adb.shell(script, 20)
    assert output.status != 0
    assert re.search("yntax error|nterminated", output.text)
    assert adb.shell("echo next", 20) == Output(0, "next\n")


def test_a_script_may_print_what_looks_like_the_end_of_one(adb: Adb) -> None:
    # The whole command, with the mark in it, can be read on the phone.
    output = adb.shell("tr '\\0' '\\n' < /proc/$$/cmdline; printf '0123456789abcdef0\\n'; exit 4", 20)
    assert output.status == 4
    assert "echo" in output.text and output.text.endswith("\n0123456789abcdef0\n")


def test_much_output_arrives_whole(adb: Adb) -> None:
    expected = "".join(f"{number}\n" for number in range(1, 20001))
    for _ in range(20):
        assert adb.shell("seq 20000; exit 6", 20) == Output(6, expected)


def test_a_script_that_kills_its_shell_is_no_success(adb: Adb) -> None:
    with pytest.raises(DeviceError, match="without an exit status: kill"):
        adb.shell("kill -9 $$", 20)
    assert adb.shell("echo next", 20).text == "next\n"


def test_a_script_longer_than_a_process_takes_is_refused_here(adb: Adb) -> None:
    assert adb.shell(f": {'x' * 100_000}; echo end", 20) == Output(0, "end\n")
    with pytest.raises(ValueError, match="more than Linux takes"):
        adb.shell(f": {'x' * 140_000}", 20)


def test_a_null_character_is_refused_here(adb: Adb, tmp_path: Path) -> None:
    for call in (
        lambda: adb.shell("echo a\0b", 20),
        lambda: adb.push({f"{TMP}/a\0b": b""}, 20),
        lambda: adb.pull(f"{TMP}/a\0b", tmp_path / "a", 20),
    ):
        with pytest.raises(ValueError, match="null character"):
            call()


def test_the_deadline_kills_all_that_a_script_started(adb: Adb, known_phone: LoopbackPhone) -> None:
    with pytest.raises(DeadlineError, match=r"within 0\.5 s: sleep 301"):
        adb.shell(LONG, 0.5)
    assert eventually(lambda: known_phone.processes() == [])
    assert adb.shell("echo next", 20) == Output(0, "next\n")


def test_what_a_script_left_in_the_background_dies_with_it(adb: Adb, known_phone: LoopbackPhone) -> None:
    assert adb.shell("sleep 301 & sleep 302 | cat & true", 20).status == 0
    assert eventually(lambda: known_phone.processes() == [])


def test_ctrl_c_kills_what_runs_and_leaves_the_connection_usable(
    adb: Adb, known_phone: LoopbackPhone
) -> None:
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            adb.shell(LONG, 20)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert eventually(lambda: known_phone.processes() == [])
    assert adb.shell("echo next", 20) == Output(0, "next\n")


def test_lines_come_while_the_script_runs(adb: Adb) -> None:
    # The script goes on only after its first line was seen.
    lines = adb.stream(
        f"echo first; while ! test -e {TMP}/seen; do sleep 0.01; done; printf 'a\\n\\nlast'", 20
    )
    assert next(lines) == "first"
    adb.push({f"{TMP}/seen": b""}, 20)
    assert adb.shell("echo beside", 20).text == "beside\n"
    assert list(lines) == ["a", "", "last"]


def test_an_abandoned_stream_kills_its_script(adb: Adb, known_phone: LoopbackPhone) -> None:
    for line in adb.stream(f"echo first; {LONG}", 20):
        assert line == "first"
        break
    assert eventually(lambda: known_phone.processes() == [])


def test_a_stream_has_a_deadline(adb: Adb, known_phone: LoopbackPhone) -> None:
    lines = adb.stream("echo first; while :; do echo more; done", 0.5)
    assert next(lines) == "first"
    with pytest.raises(DeadlineError):
        list(lines)
    assert eventually(lambda: known_phone.processes() == [])


JANITOR = f"trap 'rm -rf {TMP}/work; exit' HUP; touch {TMP}/ready; while :; do sleep 1000 & wait; done"


@pytest.fixture
def janitor(adb: Adb, known_phone: LoopbackPhone) -> None:
    """Something to clean up, and who does it."""
    adb.push({f"{TMP}/work/file": b"content"}, 20)
    adb.hold(JANITOR)
    assert eventually(lambda: "ready" in known_phone.files())


@pytest.mark.usefixtures("janitor")
def test_what_is_held_stays_while_other_things_run(adb: Adb, known_phone: LoopbackPhone) -> None:
    with pytest.raises(DeadlineError):
        adb.shell(LONG, 0.3)
    assert adb.shell("seq 3", 20).text == "1\n2\n3\n"
    assert "work/file" in known_phone.files()


@pytest.mark.usefixtures("janitor")
@pytest.mark.parametrize("how", ["close", "drop", "daemon"])
def test_what_is_held_cleans_up_when_the_connection_ends(
    adb: Adb, known_phone: LoopbackPhone, how: str
) -> None:
    if how == "close":
        adb.close()
    elif how == "drop":
        adb._link._transport.close()
    else:
        known_phone.kill()
    assert eventually(lambda: known_phone.processes() == [])
    assert known_phone.files() == ["ready"]


@pytest.mark.usefixtures("home")
def test_nothing_is_left_when_this_process_is_killed(known_phone: LoopbackPhone) -> None:
    code = (
        "import sys\nfrom zenbench.devices.adb.phone import Adb\nadb = Adb.connect(sys.argv[1])\n"
        f"adb.push({{'{TMP}/work/file': b''}}, 20)\nadb.hold({JANITOR!r})\nadb.shell({LONG!r}, 60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, known_phone.address])
    running = {"301", "302", "303"}
    assert eventually(lambda: running <= {p.arguments[-1] for p in known_phone.processes()})
    assert eventually(lambda: "ready" in known_phone.files())
    process.kill()
    process.wait()
    assert eventually(lambda: known_phone.processes() == [])
    assert known_phone.files() == ["ready"]


@pytest.mark.parametrize("what", ["shell", "stream", "push", "pull"])
def test_a_daemon_killed_in_the_middle_loses_the_link_until_it_is_back(
    known_phone: LoopbackPhone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(connect, "_ANSWER_S", 1.0)
    with known_phone.slow(0.02) as address:
        adb = Adb.connect(address)
        adb.push({f"{TMP}/large": bytes(500_000)}, 60)
        calls = {
            "shell": lambda: adb.shell("sleep 300", 60),
            "stream": lambda: list(adb.stream("sleep 300", 60)),
            "push": lambda: adb.push({f"{TMP}/other": bytes(100_000_000)}, 60),
            "pull": lambda: [adb.pull(f"{TMP}/large", tmp_path / "large", 60) for _ in range(500)],
        }
        timer = later(known_phone.kill)
        with pytest.raises(
            LinkLostError, match=r"is lost: (the phone closed it|Connection reset|Broken pipe)"
        ):
            calls[what]()
        timer.join()
        with pytest.raises(LinkLostError):
            adb.shell("true", 20)
        with pytest.raises(DeviceUnavailableError):
            adb.reconnect()
        assert eventually(lambda: known_phone.processes() == [])
        known_phone.restart()
        adb.reconnect()
        assert adb.shell("echo back", 20) == Output(0, "back\n")
        adb.close()


def test_a_phone_that_stops_answering_is_lost_and_not_the_scripts_fault(
    adb: Adb, known_phone: LoopbackPhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "_CONFIRM_S", 0.3)
    daemon = next(p.pid for p in known_phone._all_processes() if p.arguments == ["/system/bin/adbd"])
    os.kill(daemon, signal.SIGSTOP)
    try:
        with pytest.raises(LinkLostError, match="does not answer any more"):
            adb.shell("true", 0.3)
    finally:
        # Its parent has stopped itself too, and lets it go on when it goes on.
        os.kill(known_phone._daemon.pid, signal.SIGCONT)
    adb.reconnect()
    assert adb.shell("echo back", 20) == Output(0, "back\n")


def test_a_service_that_the_phone_lacks_is_refused_at_once(adb: Adb) -> None:
    with pytest.raises(DeviceUnavailableError, match="refuses the service nonsense"):
        adb._link.open("nonsense:", time.monotonic() + 60)


def test_two_connections_do_not_disturb_each_other(adb: Adb, known_phone: LoopbackPhone) -> None:
    other = Adb.connect(known_phone.address)
    lines = other.stream("echo first; cat /dev/zero | head -c 100000 | tr '\\0' 'x'; echo; echo last", 20)
    assert next(lines) == "first"
    assert adb.shell("echo hello", 20).text == "hello\n"
    adb.close()
    assert list(lines)[-1] == "last"
    other.close()
