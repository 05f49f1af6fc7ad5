"""`zenbench search` with a device at hand: rounds, the verdict, interruptions, repetition."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from zenbench.bench.cli.searches import run as search_run
from zenbench.bench.measuring.journal import journal_path
from zenbench.bench.refining.device_loads import DeviceLoads
from zenbench.bench.refining.loads import LOADS_FILE
from zenbench.devices.simulated import SimulatedDevice
from zenbench.errors import DeviceError, DeviceUnavailableError
from zenbench.home import home
from zenbench.latency_tables.table import LatencyTable

PROFILE = ("profile", "--device", "simulated", "--blocks", "40", "--resolution", "16")
SEARCH = (
    *("search", "--latency", "1ms", "--device", "simulated", "--resolution", "16", "--classes", "10"),
    *("--evaluations", "800", "--population", "32", "--rescore", "none"),
)


@pytest.fixture
def profiled(run) -> Any:  # type: ignore[no-untyped-def]
    assert run(*PROFILE).code == 0
    return run


def table() -> Path:
    (path,) = (home() / "tables/simulated").glob("*t1.csv")
    return path


def test_it_measures_says_the_verdict_and_keeps_what_it_learned(profiled) -> None:  # type: ignore[no-untyped-def]
    before = LatencyTable.load(table())
    done = profiled(*SEARCH, "--out", "r")
    assert done.code == 0 and "within budget: measured" in done.err
    assert "round 2: 6 networks measured" in done.err
    result = json.loads(Path("r/result.json").read_text())
    (verdict,) = result["verdicts"]
    assert verdict["within"] and verdict["loads"] >= 4 and verdict["measured_ms"] <= 0.97
    best = next(one for one in result["finalists"] if one["digest"] == result["digest"])
    assert best["measured_ms"] == {verdict["limit"]: verdict["measured_ms"]}
    with Path("r/best.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["digest"] == result["digest"] and int(rows[0]["loads"]) >= 4
    assert any(row["measured_ms simulated"] == "" for row in rows) or len(rows) <= len(result["finalists"])
    assert profiled("compare", "r/measured.csv", "r/predicted.csv").code == 0
    assert profiled("report", "r").code == 0
    after = LatencyTable.load(table())
    assert after.rows.keys() == before.rows.keys()
    assert len(after.networks) == len(before.networks) + len(result["finalists"])
    assert '"role":"searched"' in journal_path(table()).read_text()


def test_without_measuring_it_only_predicts_and_says_so(profiled) -> None:  # type: ignore[no-untyped-def]
    done = profiled(*SEARCH, "--no-measure", "--out", "r")
    assert done.code == 0 and "not measured: --no-measure was given" in done.err
    assert not Path("r", LOADS_FILE).exists() and not Path("r/measured.csv").exists()


def test_a_budget_that_no_measured_network_holds_ends_with_1(  # type: ignore[no-untyped-def]
    profiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = SimulatedDevice.reading_ms
    monkeypatch.setattr(SimulatedDevice, "reading_ms", lambda self, ms, run: 9 * real(self, ms, run))
    done = profiled(*SEARCH, "--out", "r")
    assert done.code == 1 and "budget missed by" in done.err
    assert not json.loads(Path("r/result.json").read_text())["verdicts"][0]["within"]


def test_an_interrupted_loop_goes_on(profiled, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    real, taken = DeviceLoads.take, []

    def interrupted(self: DeviceLoads, *where: Any) -> bool:
        taken.append(where)
        if len(taken) == 4:
            raise KeyboardInterrupt
        return real(self, *where)

    with monkeypatch.context() as patch:
        patch.setattr(DeviceLoads, "take", interrupted)
        assert profiled(*SEARCH, "--out", "r").code == 130
    assert len(Path("r", LOADS_FILE).read_text().splitlines()) == 1 + 3
    assert profiled(*SEARCH, "--out", "r").code == 0
    lines = [json.loads(line) for line in Path("r", LOADS_FILE).read_text().splitlines()[1:]]
    first = [line["network"] for line in lines if line["round"] == 1][:6]
    assert len({json.dumps(network) for network in first}) == 6  # none was begun anew


def test_a_repetition_takes_the_recorded_loads(profiled, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    assert profiled(*SEARCH, "--out", "r").code == 0
    monkeypatch.setattr(SimulatedDevice, "open", lambda *_: pytest.fail("it measures"))
    repeated = profiled("search", "--repeat", "r/result.json", "--rescore", "none", "--out", "again")
    assert repeated.code == 0, repeated.err
    was, again = (json.loads(Path(name, "result.json").read_text()) for name in ("r", "again"))
    for entry in ("digest", "finalists", "loads", "evaluated"):
        assert was[entry] == again[entry]
    assert [one["measured_ms"] for one in again["verdicts"]] == [
        one["measured_ms"] for one in was["verdicts"]
    ]


def test_damaged_recorded_loads_are_refused_in_a_sentence(profiled) -> None:  # type: ignore[no-untyped-def]
    assert profiled(*SEARCH, "--out", "r").code == 0
    result = json.loads(Path("r/result.json").read_text())
    for damage in ([{"round": 0}], "loads", [7]):
        Path("r/result.json").write_text(json.dumps({**result, "loads": damage}))
        refused = profiled("search", "--repeat", "r/result.json", "--out", "again")
        assert refused.code == 2 and "measure" in refused.err


def test_a_device_that_goes_costs_no_search(profiled, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    def gone(self: SimulatedDevice, *_: Any) -> None:
        raise DeviceUnavailableError("it was unplugged")

    monkeypatch.setattr(SimulatedDevice, "open", gone)
    done = profiled(*SEARCH, "--out", "r")
    assert "the device is gone" in done.err and "it was unplugged" in done.err
    assert done.code == 0 and json.loads(Path("r/result.json").read_text())["evaluated"] == 800


def test_a_network_that_cannot_run_is_left_out(profiled, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    real, opened = SimulatedDevice.open, []

    def picky(self: SimulatedDevice, artifact: Any, setting: Any) -> Any:
        opened.append(artifact)
        if len(opened) == 2:  # the first is the reference
            raise DeviceError("too large")
        return real(self, artifact, setting)

    monkeypatch.setattr(SimulatedDevice, "open", picky)
    done = profiled(*SEARCH, "--out", "r")
    assert done.code == 0 and "failed: too large" in done.err
    result = json.loads(Path("r/result.json").read_text())
    assert [one["error"] for one in result["finalists"]].count("too large") == 1


def test_another_winner_of_the_forward_passes_is_measured_too(  # type: ignore[no-untyped-def]
    profiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(search_run, "say", said.append)
    done = profiled(*SEARCH[:-2], "--rescore", "4", "--out", "r")
    assert done.code == 0
    result = json.loads(Path("r/result.json").read_text())
    assert result["score_forward"] is not None and result["verdicts"][0]["loads"] >= 4
