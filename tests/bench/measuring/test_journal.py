"""The journal: what is written is there, a torn line goes, other damage is named, one writer."""

import json
import logging
import multiprocessing
import os
import signal
from pathlib import Path

import pytest
from zenbench.bench.measuring.journal import Journal, MeasuringSession, read
from zenbench.bench.measuring.measurement import Measurement, Timing
from zenbench.bench.measuring.recipe import Recipe
from zenbench.bench.measuring.samples import Samples
from zenbench.devices.base import DeviceState, Sample, Setting
from zenbench.errors import TableError, UserError
from zenbench.zen.families import zoo

SESSION = MeasuringSession(
    Setting("simulated", "simulated"), {"cpu": "x"}, {"a": "1"}, Recipe(), "reference", "2026"
)


def measurement(number: int) -> Measurement:
    timing = Timing((2.0, 1.5), Samples((Sample(1.0 + number), Sample(1.1, 3))), 0.5)
    return Measurement(f"subject{number}", timing, None, DeviceState(load_1min=0.1), DeviceState(), "2026")


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    network = zoo("zennet-400m-se")
    failed = Measurement("bad", None, "refused", DeviceState(), DeviceState(), "2026")
    with Journal(path) as journal:
        journal.head(SESSION)
        journal.append(measurement(0), network)
        journal.append(measurement(0), network)
        journal.append(failed)
    history = read(path)
    assert history.sessions == [SESSION]
    assert history.measurements == [measurement(0), measurement(0), failed]
    assert history.networks == {"subject0": network}
    assert path.read_text().count('"network"') == 1, "a structure is written once"


def test_appending_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    for number in range(3):
        with Journal(path) as journal:
            journal.append(measurement(number))
    assert [one.subject for one in read(path).measurements] == ["subject0", "subject1", "subject2"]


def test_torn_last_line_is_dropped_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "j.jsonl"
    with Journal(path) as journal:
        journal.append(measurement(0))
        journal.append(measurement(1))
    path.write_bytes(path.read_bytes()[:-20])
    with caplog.at_level(logging.WARNING), Journal(path) as journal:
        assert len(journal.history.measurements) == 1
        journal.append(measurement(2))
    assert "torn" in caplog.text
    assert [one.subject for one in read(path).measurements] == ["subject0", "subject2"]


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"subject": "x"}', '{"format": "zenbench-journal/1"}', "garbage"]
)
def test_damage_in_the_middle_names_file_and_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "j.jsonl"
    with Journal(path) as journal:
        journal.append(measurement(0))
    path.write_text(f"{line}\n" + path.read_text())
    with pytest.raises(TableError, match=r"j\.jsonl is damaged at line 1"):
        Journal(path)


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    with Journal(path), pytest.raises(UserError, match="another zenbench"):
        Journal(path)
    with Journal(path):
        pass


def _write_forever(path: Path, ready: "multiprocessing.synchronize.Event") -> None:
    with Journal(path) as journal:
        for number in range(10**9):
            journal.append(measurement(number))
            if number == 50:
                ready.set()


def test_kill_loses_at_most_the_line_under_way(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    writer = context.Process(target=_write_forever, args=(path, ready))
    writer.start()
    assert ready.wait(60)
    os.kill(writer.pid or 0, signal.SIGKILL)
    writer.join()
    with Journal(path) as journal:
        subjects = [one.subject for one in journal.history.measurements]
    assert len(subjects) >= 51
    assert subjects == [f"subject{number}" for number in range(len(subjects))]


@pytest.mark.parametrize(
    "timing",
    [
        {"warmup_ms": [], "samples": [[1.0, 1]], "reference_ms": 0},
        {"warmup_ms": [], "samples": [[-1.0, 1]], "reference_ms": 1},
        {"warmup_ms": [float("nan")], "samples": [[1.0, 1]], "reference_ms": 1},
    ],
)
def test_a_reading_that_is_no_time_is_damage(tmp_path: Path, timing: dict[str, object]) -> None:
    record = {"subject": "x", "time": "t", "timing": timing, "before": {}, "after": {}}
    (tmp_path / "j.jsonl").write_text(json.dumps(record) + "\n")
    with pytest.raises(TableError, match=r"line 1 \(a reading that is no time above zero\)"):
        read(tmp_path / "j.jsonl")
