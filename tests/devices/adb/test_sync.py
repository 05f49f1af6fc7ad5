"""Files on the loopback phone: what is pushed and pulled arrives whole whatever its name, or says why not."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from loopback_phone import LoopbackPhone
from waiting import eventually
from zenbench.devices.adb.keys import signer
from zenbench.devices.adb.phone import Adb, Output, quoted
from zenbench.errors import DeviceUnavailableError, UserError

TMP = "/data/local/tmp"
ODD_NAMES = [
    "two words",
    'it\'s "quoted"',
    "a;touch oops",
    "$(touch oops)`touch oops`",
    "two\nlines",
    "\N{GREEK SMALL LETTER MU}-\N{SNOWMAN}",
    "comma,0755",
    "-rf",
    "*",
    "back\\slash%s~#&|<>",
    os.fsdecode(b"not utf-8 \xff"),
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_does_what_it_says_and_nothing_else(
    adb: Adb, known_phone: LoopbackPhone, tmp_path: Path, name: str
) -> None:
    adb.push({f"{TMP}/{name}": b"content", f"{TMP}/other": b"untouched"}, 20)
    assert known_phone.files() == sorted([name, "other"])
    adb.pull(f"{TMP}/{name}", tmp_path / "pulled", 20)
    assert (tmp_path / "pulled").read_bytes() == b"content"
    shown = adb.shell(f"cd {TMP} && {quoted(['cat', '--', name])} && {quoted(['rm', '--', name])}", 20)
    assert shown == Output(0, "content")
    assert known_phone.files() == ["other"]
    printed = os.fsencode(name).decode("utf-8", "replace")
    assert adb.shell(quoted(["printf", "%s", name]), 20) == Output(0, printed)


def test_many_files_of_all_sizes_arrive_as_they_are(adb: Adb, tmp_path: Path) -> None:
    rng = random.Random(0)
    sizes = [
        0,
        1,
        2**16 - 1,
        2**16,
        2**16 + 1,
        2**17,
        3_000_000,
        *(rng.randrange(30_000) for _ in range(200)),
    ]
    contents = {f"{TMP}/new/folder/{index}": rng.randbytes(size) for index, size in enumerate(sizes)}
    files: dict[str, Path | bytes] = dict(contents)
    for index in range(0, len(sizes), 2):  # every second one from the disk
        local = tmp_path / str(index)
        local.write_bytes(contents[f"{TMP}/new/folder/{index}"])
        files[f"{TMP}/new/folder/{index}"] = local
    adb.push(files, 60)
    for index in range(0, len(sizes), 3):
        remote = f"{TMP}/new/folder/{index}"
        adb.pull(remote, tmp_path / "pulled", 20)
        assert (tmp_path / "pulled").read_bytes() == contents[remote]
    assert adb.shell(f"ls {TMP}/new/folder | wc -l", 20).text.strip() == str(len(sizes))


def test_a_pushed_program_runs(adb: Adb) -> None:
    adb.push({f"{TMP}/program": b'#!/bin/sh\necho "ran $1"\n'}, 20, mode=0o755)
    adb.push({f"{TMP}/text": b"#!/bin/sh\n"}, 20)
    assert adb.shell(f"{TMP}/program well", 20) == Output(0, "ran well\n")
    assert adb.shell(f"test -x {TMP}/text || exit 3", 20).status in (0, 3)  # root may read it as runnable


def test_pushing_nothing_is_nothing(adb: Adb, known_phone: LoopbackPhone) -> None:
    adb.push({}, 20)
    assert known_phone.files() == []


def test_a_full_phone_takes_what_fits_and_keeps_no_half_file(tmp_path: Path, home: Path) -> None:
    with LoopbackPhone(tmp_path / "small", disk_bytes=2**20) as phone:
        phone.authorise(signer().GetPublicKey().decode())
        adb = Adb.connect(phone.address)
        files = {f"{TMP}/first": b"x" * 1000, f"{TMP}/large": b"x" * 5_000_000, f"{TMP}/last": b""}
        with pytest.raises(
            DeviceUnavailableError, match=r"^/data/local/tmp/large: .*no space left; free some$"
        ):
            adb.push(files, 20)
        assert eventually(lambda: phone.files() == ["first"])  # the phone removes what it began
        many = {f"{TMP}/{number:03}": b"x" * 5000 for number in range(400)}
        with pytest.raises(DeviceUnavailableError, match="no space left") as refused:
            adb.push(many, 20)
        refused_name = str(refused.value).split(":")[0].removeprefix(f"{TMP}/")
        assert 50 < int(refused_name) < 300
        written = [f"{number:03}" for number in range(int(refused_name))]
        assert eventually(lambda: phone.files() == [*written, "first"])
        assert adb.shell(f"rm {TMP}/*; echo next", 20).text == "next\n"
        adb.push({f"{TMP}/fits": b"x"}, 20)
        adb.close()


def test_a_read_only_folder_is_named(adb: Adb, known_phone: LoopbackPhone) -> None:
    known_phone.set_read_only(read_only=True)
    with pytest.raises(DeviceUnavailableError, match=r"/file: that folder of the phone is read-only$"):
        adb.push({f"{TMP}/file": b"x" * 500_000}, 20)
    known_phone.set_read_only(read_only=False)
    adb.push({f"{TMP}/file": b"x"}, 20)
    assert known_phone.files() == ["file"]


def test_a_file_the_phone_cannot_write_is_named_with_its_reason(adb: Adb, known_phone: LoopbackPhone) -> None:
    files = {f"{TMP}/one": b"1", f"{TMP}/folder/file": b"", f"{TMP}/folder": b"2", f"{TMP}/three": b"3"}
    with pytest.raises(DeviceUnavailableError, match=r"^/data/local/tmp/folder: .*Is a directory$"):
        adb.push(files, 20)
    assert known_phone.files() == ["folder/", "folder/file", "one"]
    with pytest.raises(DeviceUnavailableError, match="path too long"):
        adb.push({f"{TMP}/{'n/' * 600}": b""}, 20)
    assert adb.shell("echo next", 20).text == "next\n"


def test_a_file_that_is_not_there_is_named(adb: Adb, tmp_path: Path) -> None:
    local = tmp_path / "local"
    local.write_text("kept")
    with pytest.raises(DeviceUnavailableError, match=r"/none: there is no such file on the phone$"):
        adb.pull(f"{TMP}/none", local, 20)
    with pytest.raises(DeviceUnavailableError, match="Is a directory"):
        adb.pull(TMP, local, 20)
    assert local.read_text() == "kept"
    with pytest.raises(UserError, match="cannot be read: No such file"):
        adb.push({f"{TMP}/file": tmp_path / "missing"}, 20)
    assert adb.shell("echo next", 20).text == "next\n"


def test_a_pull_that_cannot_be_written_here_is_the_users_mistake(adb: Adb, tmp_path: Path) -> None:
    adb.push({f"{TMP}/file": b"x"}, 20)
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        adb.pull(f"{TMP}/file", tmp_path / "folder", 20)


def test_transfers_have_a_deadline(known_phone: LoopbackPhone, tmp_path: Path) -> None:
    with known_phone.slow(0.05) as address:
        adb = Adb.connect(address)
        with pytest.raises(DeviceUnavailableError, match=r"did not end a file transfer within 0\.5 s"):
            adb.push({f"{TMP}/large": bytes(20_000_000)}, 0.5)
        adb.close()
    assert eventually(lambda: known_phone.files() == [])
