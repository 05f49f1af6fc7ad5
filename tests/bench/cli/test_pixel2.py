"""The whole path through a phone, as a user goes it, and what befalls a profile on the way."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from loopback_phone import LoopbackPhone
from scripted_runner import left_on, scripted_runner
from zenbench.bench.latency_files.latency_rows import read_rows
from zenbench.bench.measuring.journal import read
from zenbench.bench.measuring.recipe import Recipe
from zenbench.bench.measuring.whole_networks import RECIPE

ZENBENCH = Path(sys.executable).with_name("zenbench")


def rounds(journal: Path) -> Counter[str]:
    return Counter(one.subject for one in read(journal).measurements if one.error is None)


def is_complete(journal: Path) -> bool:
    """Whether every subject has its rounds; one that something else disturbed has more, up to the most."""
    good = Counter(one.subject for one in read(journal).measurements if one.good and one.error is None)
    taken, recipe = rounds(journal), Recipe()
    return all(good[key] >= recipe.rounds or taken[key] == recipe.most_rounds for key in taken)


def test_from_profile_to_comparison(run, own_phone: LoopbackPhone, runner: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    reach = ("--device", "pixel2", "--serial", own_phone.address, "--runner", str(runner))
    profiled = run("profile", *reach, "--space", "mobilenet", "--resolution", "32", "--blocks", "60")
    assert profiled.code == 0 and "60 workloads" in profiled.err
    table = run("tables", "--format", "json").json()[0]
    assert (table["device"], table["setting"]) == ("pixel2", "litert/fp32/b1/t1/mask-f0")

    found = run(
        *("search", "--latency", "pixel2=2ms", "--layers", "18", "--space", "mobilenet"),
        *("--resolution", "32", "--classes", "10", "--evaluations", "500", "--out", "found"),
    )
    assert found.code == 0, found.err
    winner = str(tmp_path / "found/result.json")
    assert run("export", winner, "--tflite", "winner.tflite").code == 0
    assert run("measure", "winner.tflite", *reach, "--out", "measured.csv").code == 0
    assert run("predict", winner, "--device", "pixel2", "--out", "predicted.csv").code == 0
    (agreement,) = run("compare", "measured.csv", "predicted.csv", "--format", "json").json()
    assert agreement["count"] == 1 and agreement["setting"] == "litert/fp32/b1/t1/mask-f0"
    (row,) = read_rows(Path("measured.csv"))
    assert (
        3 <= row.rounds <= RECIPE.most_rounds
        and row.digest == json.loads(Path("found/result.json").read_text())["digest"]
    )
    assert left_on(own_phone) == []


def test_a_profile_that_loses_its_phone_is_completed_by_the_next(  # type: ignore[no-untyped-def]
    run, own_phone: LoopbackPhone, runner: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zenbench.devices.android.phone.RECONNECT_S", 0.5)
    # The seventh call takes the daemon with it.
    script = '[ $n = 7 ] && pkill -9 -x adbd\nexec $real "$@"'
    mortal = scripted_runner(own_phone, runner, tmp_path, script)
    reach = ("--device", "pixel2", "--serial", own_phone.address, "--runner", str(mortal))
    options = ("--space", "mobilenet", "--resolution", "32", "--blocks", "3", "--table", "t.csv")
    lost = run("profile", *reach, *options)
    assert lost.code == 3 and "what was measured is kept: run this again to go on" in lost.err
    journal = tmp_path / "t.journal.jsonl"
    before = rounds(journal)
    assert before and max(before.values()) < Recipe().rounds
    own_phone.restart()
    assert run("profile", *reach, *options).code == 0
    assert is_complete(journal)
    assert left_on(own_phone) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-C", "kill -9"])
def test_a_profile_that_is_ended_leaves_nothing_and_is_completed(  # type: ignore[no-untyped-def]
    run, own_phone: LoopbackPhone, runner: Path, tmp_path: Path, how: signal.Signals
) -> None:
    reach = ("--device", "pixel2", "--serial", own_phone.address, "--runner", str(runner))
    options = ("--space", "mobilenet", "--resolution", "32", "--blocks", "24", "--table", "t.csv")
    journal = tmp_path / "t.journal.jsonl"
    process = subprocess.Popen(
        [str(ZENBENCH), "profile", *reach, *options],
        env=dict(os.environ),
        stderr=subprocess.PIPE,
        text=True,
    )
    ends = time.monotonic() + 120
    while (not journal.exists() or journal.read_text().count("\n") < 20) and time.monotonic() < ends:
        time.sleep(0.02)
    process.send_signal(how)
    _, said = process.communicate(timeout=60)
    if how is signal.SIGINT:
        assert process.returncode == 130 and "interrupted; what was finished is kept" in said
    assert left_on(own_phone) == []
    kept = rounds(journal)
    assert kept
    assert run("profile", *reach, *options).code == 0
    done = rounds(journal)
    assert is_complete(journal) and kept <= done
    assert left_on(own_phone) == []


def test_a_block_whose_runner_crashes_is_recorded_and_the_rest_goes_on(  # type: ignore[no-untyped-def]
    run, own_phone: LoopbackPhone, runner: Path, tmp_path: Path
) -> None:
    script = 'case $1 in *=2.tflite) kill -SEGV $$;; esac\nexec $real "$@"'
    crashing = scripted_runner(own_phone, runner, tmp_path, script)
    reach = ("--device", "pixel2", "--serial", own_phone.address, "--runner", str(crashing))
    profiled = run("profile", *reach, "--resolution", "32", "--blocks", "4", "--table", "t.csv")
    assert profiled.code == 0
    errors = [one.error for one in read(tmp_path / "t.journal.jsonl").measurements if one.error is not None]
    assert len(errors) == 1 and "signal 11" in errors[0]
    assert is_complete(tmp_path / "t.journal.jsonl")


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("--serial", "127.0.0.1:1"), 3, "127.0.0.1:1"),
        ((), 3, "no phone"),
        (("--device", "host", "--serial", "x"), 2, "leave them out"),
        (("--cpu-mask", "zz"), 2, "is no CPU mask"),
        (("--precision", "int7"), 2, "int7"),
        (("--runner", "nowhere"), 3, "runner nowhere cannot be read"),
    ],
)
def test_mistakes_get_one_sentence(  # type: ignore[no-untyped-def]
    run, user: str, runner: Path, arguments: tuple[str, ...], code: int, reason: str
) -> None:
    given = ("--device", "pixel2", "--runner", str(runner), "--blocks", "1", *arguments)
    found = run("profile", *given)
    assert found.code == code and reason in found.err
    assert "kept" not in found.err, "nothing was measured"
    assert found.err.strip().count("\n") <= 1
