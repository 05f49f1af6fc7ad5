"""`zenbench fit`, and the commands that work on its tables, as a user runs them."""

import csv
import json
import random
import re
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from places import DATA
from zenbench.bench.profiling.plan import random_networks, sources
from zenbench.devices.base import Setting
from zenbench.home import home
from zenbench.latency_tables.modelled.model import ModelledTable
from zenbench.latency_tables.store import shipped
from zenbench.latency_tables.table import LatencyTable
from zenbench.zen.space import spaces

NASBENCH = DATA / "nasbench201_latency.csv"
COLUMN = "adreno_640_gpu_ms"


def measured() -> list[tuple[str, float]]:
    with NASBENCH.open(newline="") as file:
        rows = [(row["arch"], float(row[COLUMN])) for row in csv.DictReader(file)]
    random.Random(3).shuffle(rows)
    return rows


ROWS = measured()


def write(
    path: Path, rows: Iterable[Iterable[Any]], header: tuple[str, ...] = ("network", "latency_ms")
) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def card(path: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(path.with_suffix(".json").read_text())
    return found


def fit(run: Any, *arguments: str) -> Any:
    return run("fit", "m.csv", "--space", "nasbench201", "--out", "t.csv", *arguments)


def test_fit_predict_and_compare(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    write(tmp_path / "m.csv", ROWS[:100])
    options = ("--device-name", "adreno-640", "--runtime", "litert", "--precision", "fp32")
    done = fit(run, *options, "--format", "json")
    (summary,) = done.json()
    assert done.code == 0 and summary["networks"] == 100 and 0 < summary["mean_error"] < 0.014
    assert summary["within_10"] == 1 and (summary["device"], summary["setting"]) == (
        "adreno-640",
        "litert/fp32/b1/t1/unknown",
    )
    write(tmp_path / "n.csv", [[name] for name, _ in ROWS[100:]], ("network",))
    predicted = run(
        "predict", "--networks", "n.csv", "--table", "t.csv", "--out", "p.csv", "--format", "json"
    )
    assert predicted.code == 0 and predicted.err.count("is fitted to 100 whole networks of nasbench201") == 1
    rows = predicted.json()
    assert {row["device"] for row in rows} == {"adreno-640"} and rows[0]["coverage"] == 0
    errors = [
        abs(float(row["latency_ms"]) / truth - 1) for row, (_, truth) in zip(rows, ROWS[100:], strict=True)
    ]
    assert sum(errors) / len(errors) < 0.014 and sum(error < 0.1 for error in errors) > 0.99 * len(errors)
    with (tmp_path / "p.csv").open() as file:
        own = list(csv.DictReader(file))
    truths = [
        [row["network"], row["digest"], row["device"], row["setting"], ms]
        for row, (_, ms) in zip(own, ROWS[100:], strict=True)
    ]
    write(tmp_path / "truth.csv", truths, ("network", "digest", "device", "setting", "latency_ms"))
    assert run("compare", "truth.csv", "p.csv", "--fail-above", "1.4%").code == 0
    assert run("compare", "truth.csv", "p.csv", "--fail-above", "0.1%").code == 1


def test_by_block_and_the_list_of_tables(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    write(tmp_path / "m.csv", ROWS[:60])
    folder = tmp_path / "home" / "tables" / "adreno-640"
    folder.mkdir(parents=True)
    out = str(folder / "litert-fp32-b1-t1.csv")
    done = run("fit", "m.csv", "--space", "nasbench201", "--out", out, "--device-name", "adreno-640")
    assert done.code == 0 and "mean error" in done.out and "unknown/unknown/b1/t1/unknown" in done.err
    blocks = run("predict", ROWS[70][0], "--table", out, "--by-block", "--format", "json").json()
    assert {row["source"] for row in blocks} == {"fitted"}
    assert sum(float(row["share"]) for row in blocks) == pytest.approx(1)
    listed = {row["device"]: row for row in run("tables", "--format", "json").json()}
    assert listed["adreno-640"]["provenance"] == "fitted"
    assert 0 < listed["adreno-640"]["left_out_error"] < 0.014


def test_search_within_a_fitted_table(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    truth = ModelledTable(shipped(Setting("pixel2", "litert")))
    networks = list(islice(random_networks(sources(spaces()["resnet"]), (32,), 1), 80))
    rows = [[str(one), 32, 10, 1e3 * truth.estimate(one).ms] for one in networks]
    write(tmp_path / "m.csv", rows, ("network", "resolution", "classes", "latency_us"))
    done = run(
        *("fit", "m.csv", "--space", "resnet", "--out", "t.csv", "--latency-column", "latency_us"),
        *("--device-name", "phone", "--format", "json"),
    )
    assert done.code == 0 and done.json()[0]["mean_error"] < 0.05
    limit = sorted(row[3] for row in rows)[40] / 1e3
    search = run(
        *(
            "search",
            "--latency",
            f"{limit:.4g}ms",
            "--table",
            "t.csv",
            "--layers",
            "12",
            "--resolution",
            "32",
        ),
        *("--classes", "10", "--evaluations", "200", "--population", "16", "--macs", "200M", "--out", "s"),
    )
    assert search.code == 0 and search.err.count("is fitted to 80 whole networks") == 1
    (latency,) = json.loads((tmp_path / "s" / "result.json").read_text())["latencies"]
    assert latency["latency_ms"] <= limit and latency["provenance"] == "fitted"


def test_a_table_is_not_written_over(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = write(tmp_path / "m.csv", ROWS[:20])
    before = path.read_text()
    refused = run("fit", "m.csv", "--space", "nasbench201", "--out", "m.csv")
    assert refused.code == 2 and "m.csv exists already" in refused.err and path.read_text() == before


@pytest.mark.parametrize("column, factor", [("lat_us", 1e3), ("lat_s", 1e-3), ("lat (ms)", 1.0)])
def test_units_by_the_column_s_ending(run, tmp_path: Path, column: str, factor: float) -> None:  # type: ignore[no-untyped-def]
    write(tmp_path / "m.csv", [(name, ms * factor) for name, ms in ROWS[:20]], ("arch", column))
    assert fit(run, "--network-column", "arch", "--latency-column", column).code == 0
    trained = card(tmp_path / "t.csv")["model"]["trained_on"]
    assert [one["latency_ms"] for one in trained] == pytest.approx([ms for _, ms in ROWS[:20]], rel=1e-4)


def test_semicolons_marks_and_line_ends_are_read(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    lines = ["network;latency_ms", *(f"{name};{ms}".replace(".", ",") for name, ms in ROWS[:20])]
    (tmp_path / "m.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert fit(run).code == 0
    trained = card(tmp_path / "t.csv")["model"]["trained_on"]
    assert [one["latency_ms"] for one in trained] == pytest.approx([ms for _, ms in ROWS[:20]], rel=1e-4)


def test_the_setting_comes_from_zenbench_s_own_files(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    header = ("network", "device", "setting", "latency_ms", "error")
    told = ("phone", "litert/fp32/b1/t4/mask-f0")
    rows = [(name, *told, ms, "") for name, ms in ROWS[:20]]
    write(tmp_path / "m.csv", [*rows, (ROWS[20][0], *told, "", "crashed")], header)
    refused = fit(run, "--threads", "1")
    assert refused.code == 2 and "m.csv was measured with threads 4, not 1" in refused.err
    assert fit(run, "--threads", "4").code == 0
    setting = LatencyTable.load(tmp_path / "t.csv").card.setting
    assert (setting.device, str(setting)) == told
    assert len(card(tmp_path / "t.csv")["model"]["trained_on"]) == 20
    write(tmp_path / "m.csv", [*rows, (ROWS[21][0], "phone", "litert/int8/b1/t4/mask-f0", 1.0, "")], header)
    refused = run("fit", "m.csv", "--space", "nasbench201", "--out", "other.csv")
    assert refused.code == 2 and "line 22" in refused.err and "one setting at a time" in refused.err


def test_a_foreign_file_s_device_column_counts(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    header = ("network", "device", "latency_ms")
    rows = [(name, "phone-7", ms) for name, ms in ROWS[:20]]
    write(tmp_path / "m.csv", rows, header)
    assert fit(run, "--runtime", "litert").code == 0
    setting = LatencyTable.load(tmp_path / "t.csv").card.setting
    assert (setting.device, setting.runtime, setting.precision) == ("phone-7", "litert", "unknown")
    write(tmp_path / "m.csv", [*rows, (ROWS[20][0], "phone-8", 2.0)], header)
    refused = run("fit", "m.csv", "--space", "nasbench201", "--out", "other.csv")
    assert refused.code == 2 and "line 22 was measured on phone-8, but line 2 on phone-7" in refused.err


def test_a_table_of_this_computer_knows_it(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    write(tmp_path / "m.csv", ROWS[:20])
    assert fit(run, "--device-name", "host").code == 0
    assert run("predict", ROWS[30][0], "--table", "t.csv").code == 0
    path = (tmp_path / "t.csv").with_suffix(".json")
    path.write_text(json.dumps({**card(tmp_path / "t.csv"), "identity": {"cpu": "another"}}))
    refused = run("predict", ROWS[30][0], "--table", "t.csv")
    assert refused.code == 2 and "belongs to another" in refused.err


GOOD = ROWS[:15]
UNUSABLE = {
    "a network twice": (GOOD[3], "line 17: measures .* again, as line 5 does"),
    "no network": (("", 1.0), "line 17: names no network"),
    "an unknown network": (("|nor_conv_9x9~0|", 1.0), "line 17: .* is no cell of NAS-Bench-201"),
    "another space": (
        ("SuperConvK3BNRELU(3,8,1,1)", 1.0),
        r"line 17: the block SuperConvK3BNRELU\(3,8,1,1\) is none of the space nasbench201",
    ),
    "a dead cell": (
        ("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", 1.0),
        "line 17: .*passes nothing",
    ),
    "NaN": ((ROWS[20][0], "nan"), "line 17: latency_ms is nan; it must be finite"),
    "zero": ((ROWS[20][0], 0), "line 17: latency_ms is 0, an impossible latency"),
    "negative": ((ROWS[20][0], -3), "line 17: latency_ms is -3, an impossible latency"),
    "too short": ((ROWS[20][0], 1e-200), "line 17: latency_ms is 1e-200, .* from a picosecond"),
    "too long": ((ROWS[20][0], 1e200), r"line 17: latency_ms is 1e\+200, .* to eleven days"),
    "empty": ((ROWS[20][0], ""), "line 17: has no latency_ms"),
    "text": ((ROWS[20][0], "fast"), "line 17: latency_ms is 'fast', not a number"),
    "two cells that become one": (
        ("|skip_connect~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|", 3.0),
        "line 17: measures .* again, as line 16 does",
    ),
    "a marker": ((ROWS[20][0], "-1"), "line 17: latency_ms is -1, an impossible latency"),
}


@pytest.mark.parametrize("fault", UNUSABLE)
def test_rows_that_cannot_be_used_are_left_out_with_line_and_reason(run, tmp_path: Path, fault: str) -> None:  # type: ignore[no-untyped-def]
    row, reason = UNUSABLE[fault]
    identity = ("|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|", 3.0)
    write(tmp_path / "m.csv", [*GOOD[:14], identity, row, ROWS[30]])
    done = fit(run, "--format", "json")
    (summary,) = done.json()
    assert done.code == 0 and summary["networks"] == 16 and LatencyTable.load(tmp_path / "t.csv")
    assert [one["line"] for one in summary["left_out"]] == [17]
    assert re.search(reason, f"line 17: {summary['left_out'][0]['reason']}")
    assert re.search(f"left out: m.csv, {reason}", done.err)


BAD = {
    "ragged": ([*GOOD, (ROWS[20][0],)], "line 17 has another number of cells"),
    "too few": (GOOD[:9], "m.csv: a fit needs at least 10 networks, not 9"),
    "none": ([], "m.csv: a fit needs at least 10 networks, not 0"),
    "constant": ([(name, 2.5) for name, _ in GOOD], "m.csv: all 15 networks have the same latency, 2.5 ms"),
    "too few left": (
        [*GOOD[:9], (ROWS[20][0], -1)],
        "m.csv: a fit needs at least 10 networks, not 9; 1 row was left out, line 11: latency_ms is -1",
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_rows_are_named(run, tmp_path: Path, fault: str) -> None:  # type: ignore[no-untyped-def]
    rows, expected = BAD[fault]
    write(tmp_path / "m.csv", rows)
    refused = fit(run)
    assert refused.code == 2 and not (tmp_path / "t.csv").exists()
    assert re.search(expected, refused.err)
    assert len(refused.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (("--latency-column", "speed_ms"), "lacks the column speed_ms; it has network, latency_ms"),
        (("--network-column", "arch"), "lacks the column arch; it has network, latency_ms"),
        (("--latency-column", "network"), "does not say its unit"),
        (("--device-name", "my phone"), "'my phone' is no name for a device"),
        (("--runtime", "a/b"), "is not a setting"),
        (("--space", "elsewhere"), "is not one of 'nasbench201', 'resnet', 'mobilenet', 'any'"),
    ],
)
def test_bad_options_are_named(run, tmp_path: Path, arguments: tuple[str, ...], expected: str) -> None:  # type: ignore[no-untyped-def]
    write(tmp_path / "m.csv", ROWS[:15])
    refused = fit(run, *arguments)
    assert refused.code == 2 and expected in refused.err and not (tmp_path / "t.csv").exists()


def test_a_missing_file_is_named(run) -> None:  # type: ignore[no-untyped-def]
    refused = fit(run)
    assert refused.code == 2 and "there is no file m.csv" in refused.err


def test_columns_name_network_latency_and_unit(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    write(tmp_path / "m.csv", [(name, 1000 * ms) for name, ms in ROWS[:20]], ("arch", "lat"))
    assert fit(run, "--columns", "network=arch,latency=lat:us").code == 0
    assert card(tmp_path / "t.csv")["model"]["trained_on"][0]["latency_ms"] == pytest.approx(
        ROWS[0][1], rel=1e-4
    )
    refused = fit(
        run, "--columns", "network=arch,latency=lat:us", "--latency-column", "other_ms", "--out", "u.csv"
    )
    assert refused.code == 2 and "--columns says latency=lat, but --latency-column other_ms" in refused.err


def test_the_reading_is_named_by_the_fit_the_card_and_the_tables(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    write(tmp_path / "m.csv", ROWS[:40])
    done = fit(run, "--format", "json")
    folder = home() / "tables" / "phone"
    folder.mkdir(parents=True)
    for name in ("t.csv", "t.networks.csv", "t.json"):
        (folder / name).write_bytes((tmp_path / name).read_bytes())
    listed = {one["path"]: one.get("reading") for one in run("tables", "--format", "json").json()}
    assert listed[str(folder / "t.csv")] == "converted"
    assert done.json()[0]["reading"] == card(tmp_path / "t.csv")["model"]["reading"] == "converted"


def test_rank_takes_the_columns_of_a_file_too(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    write(tmp_path / "m.csv", ROWS[:12], ("arch", "lat_ms"))
    columns = ("--columns", "network=arch,latency=lat_ms", "--proxies", "flops", "--format", "json")
    (found,) = run("rank", "--against", "m.csv", *columns).json()
    assert found["column"] == "lat_ms" and found["used"] == 12 and found["spearman"] > 0.5
    refused = run("rank", "--against", "m.csv", "--proxies", "flops", "--network-column", "arch")
    assert refused.code == 2 and "--column top1" in refused.err


def test_rank_writes_no_column_twice(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    write(tmp_path / "m.csv", ROWS[:4], ("network", "flops"))
    refused = run("rank", "--against", "m.csv", "--column", "flops", "--proxies", "flops", "--out", "o.csv")
    assert refused.code == 2 and "--out has a column 'flops' of its own" in refused.err


def test_rank_writes_scores_and_figure_to_two_files(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    write(tmp_path / "m.csv", ROWS[:4], ("network", "top1"))
    refused = run("rank", "--against", "m.csv", "--column", "top1", "--out", "o.svg", "--plot", "o.svg")
    assert refused.code == 2 and "--out and --plot are both o.svg" in refused.err


@pytest.mark.parametrize("option", [("--precision", "fp7"), ("--batch", "9" * 24), ("--device-name", "")])
def test_a_setting_that_cannot_be_is_refused(run, tmp_path: Path, option: tuple[str, str]) -> None:  # type: ignore[no-untyped-def]
    write(tmp_path / "m.csv", ROWS[:12], ("network", "latency_ms"))
    refused = run("fit", "m.csv", "--space", "nasbench201", *option, "--out", "t.csv")
    assert refused.code == 2 and not (tmp_path / "t.csv").exists()
