"""Predicting, searching and calibrating with the shipped modelled tables, as a user does."""

import json
from pathlib import Path

import pytest
from toys import measured_card, row
from zenbench.devices.base import Setting
from zenbench.latency_tables.store import shipped, user_path
from zenbench.latency_tables.table import LatencyTable
from zenbench.zen.families import zoo

NOTICE = "is modelled from published figures"
SMALL = ("--layers", "6", "--resolution", "32", "--evaluations", "200", "--population", "16", "--macs", "20M")


@pytest.mark.parametrize(
    ("device", "options", "more"),
    [
        ("t4", (), "--runtime tensorrt --precision int8 --batch 64 --threads 1"),
        ("t4", ("--precision", "fp16"), "--runtime tensorrt --precision fp16 --batch 64 --threads 1"),
        ("v100", (), "--runtime torch --precision fp16 --batch 64 --threads 1"),
        ("pixel2", (), "--runtime litert --precision fp32 --batch 1 --threads 1"),
    ],
)
def test_predict_says_once_what_it_rests_on_and_how_to_measure(  # type: ignore[no-untyped-def]
    run, device: str, options: tuple[str, ...], more: str
) -> None:
    result = run(
        "predict", "zoo:resnet-18", "zoo:resnet-50", "--device", device, *options, "--format", "json"
    )
    small, large = result.json()
    assert large["latency_ms"] > small["latency_ms"] > 0 and small["coverage"] == 0
    assert result.err.count(NOTICE) == 1
    assert f"measure with: zenbench profile --device {device} {more}\n" in result.err
    assert str(small["setting"]) in result.err


def test_precision_chooses_the_table(run) -> None:  # type: ignore[no-untyped-def]
    int8, fp16 = (
        run("predict", "zoo:resnet-50", "--device", "t4", *more, "--format", "json").json()[0]
        for more in ((), ("--precision", "fp16"))
    )
    assert str(int8["setting"]).startswith("tensorrt/int8/b64") and "fp16" in str(fp16["setting"])
    assert int8["latency_ms"] < fp16["latency_ms"]  # type: ignore[operator]
    refused = run("predict", "zoo:resnet-50", "--device", "t4", "--precision", "fp32")
    assert refused.code == 2 and "there is no latency table for t4 tensorrt-fp32-b64-t1" in refused.err
    assert refused.err.endswith("--runtime tensorrt --precision fp32 --batch 64 --threads 1\n")


def test_small_batches_are_asked_for_and_answered(run) -> None:  # type: ignore[no-untyped-def]
    asked = ("predict", "zoo:resnet-50", "--device", "t4", "--precision", "fp16")
    answers = [run(*asked, "--batch", str(batch), "--format", "json") for batch in (1, 4, 8)]
    latencies = [answer.json()[0]["latency_ms"] for answer in answers]
    assert latencies == sorted(latencies)
    assert all(NOTICE in answer.err for answer in answers)
    assert "contradict each other on zoo:resnet-50" in answers[0].err
    other = run(*asked, "--batch", "2")
    assert other.code == 2 and "shipped for t4: tensorrt-fp16-b1-t1, tensorrt-fp16-b4-t1" in other.err


def test_tables_names_the_networks_on_which_sources_contradict(run) -> None:  # type: ignore[no-untyped-def]
    told = {row["setting"]: row.get("contradicted") for row in run("tables", "--format", "json").json()}
    assert told["torch/fp16/b64/t1/free"] == "zoo:efficientnet-b4"


def test_by_block_calls_its_rows_modelled(run) -> None:  # type: ignore[no-untyped-def]
    rows = run("predict", "zoo:resnet-18", "--device", "t4", "--by-block", "--format", "json").json()
    assert {row["source"] for row in rows} == {"modelled"}
    assert sum(float(str(row["share"])) for row in rows) == pytest.approx(1)


def test_search_within_a_batch_and_per_image(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    whole = run("search", "--latency", "11ms", "--device", "t4", *SMALL, "--out", "a")
    assert whole.code == 0 and whole.err.count(NOTICE) == 1
    assert "latency on t4: t4 tensorrt/int8/b64/t1/free" in whole.err and "an image" in whole.out
    (latency,) = json.loads((tmp_path / "a" / "result.json").read_text())["latencies"]
    assert latency["latency_ms"] <= 11 and latency["provenance"] == "modelled"
    assert latency["latency_per_image_ms"] == pytest.approx(latency["latency_ms"] / 64)
    each = run("search", "--latency", "0.1ms", "--per-image", "--device", "t4", *SMALL, "--out", "b")
    assert each.code == 0
    (latency,) = json.loads((tmp_path / "b" / "result.json").read_text())["latencies"]
    assert latency["limit_ms"] == pytest.approx(6.4) and latency["latency_ms"] <= 6.4


def test_search_on_two_devices_and_repeat(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    both = run("search", "--latency", "t4=11ms", "--latency", "pixel2=300ms", *SMALL, "--out", "a")
    assert both.code == 0 and both.err.count(NOTICE) == 2
    again = run("search", "--repeat", "a/result.json", "--out", "b")
    assert again.code == 0 and "another than the one searched with" not in again.err
    first, second = (json.loads((tmp_path / name / "result.json").read_text()) for name in "ab")
    assert first["network"] == second["network"]


def test_calibrate_changes_what_is_predicted(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    def predicted() -> float:
        (row,) = run("predict", "zoo:resnet-34", "--device", "t4", "--format", "json").json()
        return float(str(row["latency_ms"]))

    before = predicted()
    rows = run("predict", "zoo:resnet-18", "zoo:resnet-50", "zoo:dfnet-1", "--device", "t4", "--out", "p.csv")
    assert rows.code == 0
    lines = (tmp_path / "p.csv").read_text().splitlines()
    place = lines[0].split(",").index("latency_ms")
    slower = [line.split(",") for line in lines[1:]]
    for cells in slower:
        cells[place] = str(2 * float(cells[place]))
    (tmp_path / "m.csv").write_text("\n".join([lines[0], *(",".join(cells) for cells in slower)]))
    result = run("calibrate", "m.csv", "--device", "t4")
    assert result.code == 0 and "calibrated on 3 networks" in result.err
    assert "as published" in result.err and "left out of the calibration" in result.err
    assert predicted() == pytest.approx(2 * before, rel=0.1)
    assert "and calibrated on 3 networks" in run("predict", "zoo:resnet-34", "--device", "t4").err
    table = next(row for row in run("tables", "--format", "json").json() if "home" in str(row["path"]))
    assert table["provenance"] == "modelled"
    assert run("calibrate", "m.csv", "--device", "t4").code == 0, "again, from the published fit"
    refused = run("calibrate", "m.csv", "--device", "t4", "--table", str(table["path"]))
    assert refused.code == 2 and "calibrated already" in refused.err


@pytest.mark.parametrize(
    "text, message",
    [
        ("network\nzoo:resnet-18\n", "m.csv lacks the column latency_ms"),
        ("network,latency_ms\n", "m.csv holds no measured network"),
        ("network,latency_ms\nzoo:resnet-18,5\n", "at least 2 networks"),
        (
            "network,latency_ms\nzoo:resnet-18,5\nzoo:resnet-18,6\n",
            "line 3 measures zoo:resnet-18 again, as line 2",
        ),
        ("network,latency_ms\nzoo:resnet-18,nan\n", "line 2: latency_ms is nan"),
        ("network,latency_ms\nzoo:resnet-18,-1\n", "line 2: latency_ms is -1"),
        ("network,latency_ms\nzoo:resnet-18,fast\n", "line 2: latency_ms is 'fast', not a number"),
        ("network,latency_ms\nzoo:resnet-99,5\n", "line 2: no network is called 'zoo:resnet-99'"),
        ("network,latency_ms\n,5\n", "line 2 names no network"),
        ("network,latency_ms\nzoo:resnet-18,5,7\n", "line 2 has another number of cells"),
        ("network,latency_ms,resolution\nzoo:resnet-18,5,big\n", "line 2: resolution is 'big'"),
        ("network,latency_ms,device\nzoo:resnet-18,5,v100\n", "line 2 was measured on v100"),
        (
            "network,latency_ms,setting\nzoo:resnet-18,5,tensorrt/fp16/b64/t1/free\n",
            "line 2 was measured on t4",
        ),
        ("network,latency_ms,setting\nzoo:resnet-18,5,quickly\n", "line 2: 'quickly' is not a setting"),
    ],
)
def test_wrong_measurements_are_refused(run, tmp_path: Path, text: str, message: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "m.csv").write_text(text)
    result = run("calibrate", "m.csv", "--device", "t4")
    assert result.code == 2 and message in result.err
    assert len(result.err.splitlines()) == 1


def test_equal_latencies_calibrate_without_a_rank_correlation(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    names = ("resnet-18", "resnet-50", "mobilenetv2-1.0")
    (tmp_path / "m.csv").write_text("network,latency_ms\n" + "".join(f"zoo:{name},9\n" for name in names))
    assert run("calibrate", "m.csv", "--device", "t4").code == 0
    predicted = run("predict", "zoo:resnet-18", "--device", "t4")
    assert predicted.code == 0 and "rank correlation" not in predicted.err


def test_a_measured_table_is_neither_calibrated_nor_overwritten(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    setting = Setting("t4", "tensorrt", "int8", 64)
    card = measured_card(setting)
    measured = LatencyTable(card, dict.fromkeys(zoo("resnet-18").workloads(), row(1.0)))
    measured.save(user_path(setting))
    (tmp_path / "m.csv").write_text("network,latency_ms\nzoo:resnet-18,5\nzoo:resnet-50,9\n")
    refused = run("calibrate", "m.csv", "--device", "t4")
    assert refused.code == 2 and "was measured, which is better than any model" in refused.err
    user_path(setting).rename(tmp_path / "own.csv")
    for suffix in (".json", ".networks.csv"):
        user_path(setting).with_suffix(suffix).rename(tmp_path / f"own{suffix}")
    refused = run("calibrate", "m.csv", "--device", "t4", "--table", "own.csv")
    assert refused.code == 2 and "it calibrates itself" in refused.err


@pytest.mark.parametrize(
    ("asked", "held"),
    [
        (("--device", "v100"), "device t4, not v100"),
        (("--precision", "int8"), "precision fp16, not int8"),
        (("--batch", "1"), "batch 64, not 1"),
        (("--runtime", "tensorrt-graph"), "runtime tensorrt, not tensorrt-graph"),
        (("--threads", "2"), "threads 1, not 2"),
    ],
)
def test_an_option_does_not_contradict_the_table_beside_it(  # type: ignore[no-untyped-def]
    run, tmp_path: Path, asked: tuple[str, str], held: str
) -> None:
    shipped(Setting("t4", "tensorrt", "fp16", 64)).save(tmp_path / "t.csv")
    table = ("--table", "t.csv")
    (tmp_path / "m.csv").write_text("network,latency_ms\nzoo:resnet-18,5\nzoo:resnet-50,9\n")
    for command in (
        ("predict", "zoo:resnet-18"),
        ("search", "--latency", "11ms", *SMALL, "--out", "s"),
        ("calibrate", "m.csv"),
    ):
        refused = run(*command, *table, *asked)
        assert refused.code == 2
        assert f"t.csv is a table of t4 tensorrt/fp16/b64/t1/free: {held}; leave --table out" in refused.err
        assert len(refused.err.splitlines()) == 1
    # What the table is of may be said.
    assert run("predict", "zoo:resnet-18", *table, "--device", "t4", "--precision", "fp16").code == 0


def test_a_limit_on_another_device_than_the_table_s_is_refused(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    shipped(Setting("t4", "tensorrt", "fp16", 64)).save(tmp_path / "t.csv")
    for limit in ("pixel2=60ms", "t4/int8=11ms"):
        refused = run("search", "--latency", limit, *SMALL, "--table", "t.csv", "--out", "s")
        assert refused.code == 2 and "t.csv is a table of t4 tensorrt/fp16" in refused.err
    assert run("search", "--latency", "t4/fp16=11ms", *SMALL, "--table", "t.csv", "--out", "s").code == 0


def test_a_search_without_measurements_is_sure_and_stays_in_the_domain(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    def limit(*options: str) -> dict[str, object]:
        out = "-".join(("r", *options))
        assert run("search", "--latency", "t4=11ms", *SMALL, *options, "--out", out).code == 0
        found = json.loads((tmp_path / out / "result.json").read_text())
        latency, (limit,) = found["latencies"][0], found["task"]["budget"]["latencies"]
        margin = 1.28 if limit["confidence"] == 0.9 else 0.0
        assert latency["latency_ms"] + margin * latency["std_ms"] <= 11
        return {name: limit[name] for name in ("confidence", "beyond_table")}

    assert limit() == {"confidence": 0.9, "beyond_table": False}
    assert limit("--confidence", "0.5") == {"confidence": 0.5, "beyond_table": False}
    assert limit("--beyond-table") == {"confidence": 0.9, "beyond_table": True}
    again = run("search", "--repeat", "r/result.json", "--out", "again")
    assert again.code == 0 and "another than the one searched with" not in again.err
    refused = run("search", "--macs", "600M", "--beyond-table")
    assert refused.code == 2 and "--beyond-table is about latency limits" in refused.err
