"""`zenbench compare` as a user runs it: files of ours and of others, kinds, blocks, runs, exit codes."""

import csv
import io
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from zenbench.bench.latency_files.latency_rows import LatencyRow, write_rows
from zenbench.bench.profiling.plan import random_networks, sources
from zenbench.zen.space import spaces

SETTING = "simulated/fp32/b1/t1/free"
NETWORKS = [
    next(stream) for stream in [random_networks(sources(*spaces().values()), (32,), 5)] for _ in range(12)
]


def measured(factor: float = 1.0, noise: float = 0.01, seed: int = 0) -> list[LatencyRow]:
    numbers = random.Random(seed)
    return [
        LatencyRow(
            str(network),
            network.digest,
            "simulated",
            SETTING,
            network.resolution,
            network.classes,
            latency_ms=(1 + index) * factor * numbers.gauss(1, noise),
            std_ms=0.01 * (1 + index),
            reference_ms=2.0 * factor,
            rounds=10,
        )
        for index, network in enumerate(NETWORKS)
    ]


def predicted(noise: float = 0.05) -> list[LatencyRow]:
    return [
        replace(row, rounds=None, reference_ms=None, std_ms=None, coverage=0.5)
        for row in measured(noise=noise, seed=1)
    ]


@pytest.fixture
def files(run, tmp_path: Path):  # type: ignore[no-untyped-def]
    write_rows(tmp_path / "m.csv", measured())
    write_rows(tmp_path / "p.csv", predicted())
    write_rows(tmp_path / "later.csv", measured(1.05, seed=2))
    up_and_down = [
        replace(row, latency_ms=(row.latency_ms or 0) * (1.01 if index % 2 else 0.99))
        for index, row in enumerate(measured())
    ]
    write_rows(tmp_path / "same.csv", up_and_down)
    return run


def test_an_agreement_holds_intervals_kinds_and_the_worst(files) -> None:  # type: ignore[no-untyped-def]
    (found,) = files("compare", "m.csv", "p.csv", "--format", "json").json()
    assert found["count"] == 12
    assert found["intervals"]["mape"]["low"] < found["mape"] < found["intervals"]["mape"]["high"]
    assert {group["name"] for group in found["families"]} == {"resnet", "mobilenet"}
    assert sum(group["count"] for group in found["kernels"]) == 12
    assert [abs(one["error"]) for one in found["worst"]] == sorted(
        (abs(one["error"]) for one in found["worst"]), reverse=True
    )
    assert found["worst"][0]["blocks"] == [] and "no latency table for simulated" in found["no_blocks"]
    (row,) = csv.DictReader(io.StringIO(files("compare", "m.csv", "p.csv", "--format", "csv").out))
    assert json.loads(row["families"]) == found["families"]


def test_the_text_fits_80_columns(files, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("zenbench.bench.cli.shared.output.WIDE", 80)
    for names in (("m.csv", "p.csv"), ("m.csv", "later.csv")):
        out = files("compare", *names).out
        tables, verdict = out.rsplit("\n\n", 1) if "later.csv" in names else (out, "Slower")
        assert max(map(len, tables.splitlines())) <= 80
        assert verdict.startswith("Slower")
        for heading in ("kernels", "largest changes" if "later.csv" in names else "worst networks"):
            assert heading in out


def test_blocks_of_the_worst_come_from_a_table(files) -> None:  # type: ignore[no-untyped-def]
    profile = ("profile", "--device", "simulated", "--space", "mobilenet", "--resolution", "32")
    assert files(*profile, "--blocks", "30").code == 0
    (found,) = files("compare", "m.csv", "p.csv", "--format", "json").json()
    assert found["no_blocks"] is None
    for one in found["worst"]:
        assert sum(block["share"] for block in one["blocks"]) == pytest.approx(1)
    out = files("compare", "m.csv", "p.csv").out
    assert "their largest blocks" in out and "learned" in out
    refused = files("compare", "m.csv", "later.csv", "--table", "none.csv")
    assert refused.code == 2 and "two runs have no predicted blocks" in refused.err
    assert files("compare", "m.csv", "p.csv", "--table", "none.csv").code == 2


def test_a_limit_on_the_error_ends_with_1_and_one_sentence(files) -> None:  # type: ignore[no-untyped-def]
    result = files("compare", "m.csv", "p.csv", "--fail-above", "0.1%", "--format", "json")
    assert result.code == 1
    assert result.err.startswith("zenbench: the mean error of ") and len(result.err.splitlines()) == 1
    assert files("compare", "m.csv", "p.csv", "--fail-above", "50%").code == 0


def test_two_measurements_are_a_run_against_a_run(files) -> None:  # type: ignore[no-untyped-def]
    (found,) = files("compare", "m.csv", "later.csv", "--format", "json").json()
    assert found["significant"] and 0.03 < found["change"] < 0.07
    assert found["verdict"].startswith("Slower: +") and found["test"] == "signed-rank"
    assert files("compare", "m.csv", "later.csv", "--fail-above", "3%").code == 1
    assert files("compare", "m.csv", "later.csv", "--fail-above", "10%").code == 0
    assert files("compare", "later.csv", "m.csv", "--fail-above", "1%").code == 0, "faster is no slow-down"
    same = files("compare", "m.csv", "same.csv", "--fail-above", "0.01%")
    assert same.code == 0 and "No difference beyond chance" in same.out


def test_files_of_others(files, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (direct,) = files("compare", "m.csv", "p.csv", "--format", "json").json()
    rows = measured()
    lines = [f'"{row.network}";{f"{1e3 * (row.latency_ms or 0):.3f}".replace(".", ",")}' for row in rows]
    (tmp_path / "f.csv").write_bytes("\r\n".join(["\ufeffarch;lat_us", *lines, ""]).encode())
    columns = ("--columns", "network=arch,latency=lat_us")
    result = files("compare", "f.csv", "p.csv", *columns, "--format", "json")
    (found,) = result.json()
    assert found["mape"] == pytest.approx(direct["mape"], rel=1e-3) and found["setting"] == SETTING
    assert [one["network"] for one in found["worst"]] == [one["network"] for one in direct["worst"]]
    assert "f.csv names no setting" in result.err
    bare = "network,latency_ms\n" + "".join(f'"{row.network}",{row.latency_ms}\n' for row in rows)
    (tmp_path / "bare.csv").write_text(bare)
    assert files("compare", "bare.csv", "p.csv").code == 0
    both = ("--columns", "network=network,latency=latency_ms")
    assert files("compare", "f.csv", "bare.csv", *columns, *both).code == 0
    (runs,) = files("compare", "bare.csv", "later.csv", "--runs", "--format", "json").json()
    assert runs["significant"] and runs["test"] == "signed-rank"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("p.csv", "m.csv"), "p.csv holds predictions and m.csv measurements; name m.csv first"),
        (("m.csv", "none.csv"), "there is no file none.csv"),
        (("m.csv", "us.csv"), "times the measured ones; the files must have different units"),
        (("m.csv", "p.csv", "--columns", "network=a,latency=b"), "does not say its unit"),
        (("m.csv", "unnamed.csv"), "unnamed.csv lacks the columns network, latency_ms"),
        (("m.csv", "twice.csv"), "twice.csv, line 3 holds"),
        (("m.csv", "other.csv"), "t1/free, predicted for simulated simulated/fp32/b1/t2/free"),
        (("m.csv", "strangers.csv"), "no network in common"),
    ],
)
def test_what_cannot_be_compared_is_refused(files, tmp_path: Path, arguments, reason: str) -> None:  # type: ignore[no-untyped-def]
    rows = predicted()
    write_rows(tmp_path / "us.csv", [replace(row, latency_ms=1e3 * (row.latency_ms or 0)) for row in rows])
    write_rows(tmp_path / "twice.csv", [rows[0], rows[0]])
    write_rows(tmp_path / "other.csv", [replace(row, setting=SETTING.replace("t1", "t2")) for row in rows])
    write_rows(tmp_path / "strangers.csv", [replace(row, digest=f"no {row.digest}") for row in rows])
    (tmp_path / "unnamed.csv").write_text("arch,lat\nx,1\n")
    result = files("compare", *arguments)
    assert result.code == 2 and reason in result.err


def test_one_network_is_named_as_one(files, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    write_rows(tmp_path / "m1.csv", measured()[:1])
    write_rows(tmp_path / "p1.csv", predicted()[:1])
    write_rows(tmp_path / "l1.csv", measured(1.05)[:1])
    assert f"simulated {SETTING}: 1 network\n" in files("compare", "m1.csv", "p1.csv").out
    assert f"simulated {SETTING}: 1 network before and after\n" in files("compare", "m1.csv", "l1.csv").out


def test_a_resolution_that_is_taken_over_is_said(files, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    bare = "network,latency_ms\n" + "".join(f'"{row.network}",{row.latency_ms}\n' for row in measured())
    (tmp_path / "bare.csv").write_text(bare)
    result = files("compare", "bare.csv", "p.csv")
    assert result.code == 0 and "bare.csv names no resolution" in result.err
    assert "resolution" not in files("compare", "m.csv", "p.csv").err


def test_names_of_networks_cannot_steer_a_terminal(files, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    name = "a\x1b[2Jb"
    for file, ms in (("e.csv", 1), ("f.csv", 2)):
        (tmp_path / file).write_text(f"network,latency_ms\n{name},{ms}\n")
    assert "a?[2Jb" in files("compare", "e.csv", "f.csv").out
    (found,) = files("compare", "e.csv", "f.csv", "--format", "json").json()
    assert found["worst"][0]["network"] == name


def test_a_device_without_a_card_has_no_blocks(files, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for device in ("d" * 300, "../" * 20 + "etc"):
        for file, rows in (("m.csv", measured()), ("p.csv", predicted())):
            write_rows(tmp_path / file, [replace(row, device=device) for row in rows])
        result = files("compare", "m.csv", "p.csv")
        assert result.code == 0 and "is no device known here" in result.err


def test_predictions_taken_for_measurements_are_said_to_be(files) -> None:  # type: ignore[no-untyped-def]
    result = files("compare", "p.csv", "p.csv")
    assert result.code == 0 and "p.csv holds predictions; they are taken for measurements" in result.err
    assert "taken" not in files("compare", "m.csv", "p.csv").err
