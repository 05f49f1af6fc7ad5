"""`zenbench tables import` and `export`: from other tools' files to tables that predict, and back."""

import csv
import json
from pathlib import Path

import pytest
from places import DATA
from zenbench.bench.measuring.journal import journal_path, read
from zenbench.bench.tables.from_journal import build_table
from zenbench.latency_tables.table import LatencyTable
from zenbench.zen.families import zoo
from zenbench.zen.workload import Workload

IMPORTS = DATA / "imports"
SETTING = ("--device", "t4", "--runtime", "tensorrt", "--precision", "int8", "--batch", "64")
PHONE = ("--device", "pixel2", "--runtime", "litert", "--precision", "fp32", "--batch", "1")
NETWORK = "zoo:zennet-0.1ms"
WORKLOAD = "conv(kernel=3,in_channels=3,out_channels=32,stride=2)@224"
TIMES, TIMES_8, PROFILE, LOG, PROXYLESS, MBV3 = (
    str(IMPORTS / name)
    for name in (
        "trtexec10_times.json",
        "trtexec8_times.json",
        "trtexec10_profile.json",
        "benchmark_model.log",
        "proxyless.yaml",
        "ofa_mbv3.yaml",
    )
)


def test_trtexec_times_become_measurements_and_a_table(run) -> None:  # type: ignore[no-untyped-def]
    done = run(
        "tables", "import", TIMES, *SETTING, "--subject", NETWORK, "--out", "t.csv", "--format", "json"
    )
    assert done.code == 0 and "GPU compute time of 40 runs; copies, apart" in done.err
    table = LatencyTable.load(Path("t.csv"))
    row = table.networks[zoo(NETWORK)]
    assert done.json()[0]["latency_ms"] == pytest.approx(row.latency_ms)
    computes = [record["computeMs"] for record in json.loads(Path(TIMES).read_text())]
    assert min(computes) < row.latency_ms < max(computes)
    assert (row.rounds, row.runs) == (10, 40) and 0 < row.spread < 0.02
    card = table.card
    assert (card.provenance, card.reference, card.reference_ms, card.identity) == ("measured", None, None, {})
    assert str(card.setting) == "tensorrt/int8/b64/t1/unknown"
    assert "trtexec10_times.json (sha256 " in card.source
    history = read(journal_path(Path("t.csv")))
    assert build_table(history).networks[zoo(NETWORK)].latency_ms == pytest.approx(row.latency_ms)


def test_a_workload_can_be_the_subject(run) -> None:  # type: ignore[no-untyped-def]
    subject = ("--subject", WORKLOAD, "--warmup", "100ms")
    assert run("tables", "import", TIMES_8, *SETTING, *subject, "--out", "t.csv").code == 0
    (row,) = [LatencyTable.load(Path("t.csv")).rows[Workload.parse(WORKLOAD)]]
    assert row.runs == sum(r["startComputeMs"] >= 100 for r in json.loads(Path(TIMES_8).read_text()))


def test_all_runs_count_where_there_was_no_warm_up(run) -> None:  # type: ignore[no-untyped-def]
    subject = ("--subject", WORKLOAD, "--warmup", "0ms", "--out", "t.csv")
    done = run("tables", "import", TIMES_8, *SETTING, *subject)
    assert done.code == 0 and "of the warm-up" not in done.err
    assert LatencyTable.load(Path("t.csv")).rows[Workload.parse(WORKLOAD)].runs == len(
        json.loads(Path(TIMES_8).read_text())
    )


def test_a_file_names_the_subject_of_each_file(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for path in (TIMES, TIMES_8):
        (tmp_path / Path(path).name).write_bytes(Path(path).read_bytes())
    lines = f'file,subject,resolution\n{Path(TIMES).name},{NETWORK},192\n{Path(TIMES_8).name},"{WORKLOAD}",\n'
    (tmp_path / "map.csv").write_text(lines)
    assert run("tables", "import", "--subjects", "map.csv", *SETTING, "--out", "t.csv").code == 0
    table = LatencyTable.load(Path("t.csv"))
    assert [network.resolution for network in table.networks] == [192]
    assert list(table.rows) == [Workload.parse(WORKLOAD)]
    (tmp_path / "map.csv").write_text(f"file,subject\n{Path(TIMES).name},zoo:nonsense\n")
    refused = run("tables", "import", "--subjects", "map.csv", *SETTING, "--out", "u.csv")
    assert refused.code == 2 and "map.csv, line 2: no network is called" in refused.err


def test_logs_of_one_network_are_rounds_of_one_row(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    text = Path(LOG).read_text()
    slower = text.replace("avg=105784", "avg=106000").replace("(avg): 105784", "(avg): 106000")
    (tmp_path / "b.log").write_text(slower)
    subject = ("--subject", "zoo:mobilenetv2-1.0")
    assert run("tables", "import", LOG, "b.log", *PHONE, *subject, "--out", "t.csv").code == 0
    (row,) = LatencyTable.load(Path("t.csv")).networks.values()
    assert row.latency_ms == pytest.approx((105.784 + 106.0) / 2)
    assert (row.rounds, row.runs) == (100, 100) and row.spread > 260 / 105784
    assert row.median_ms == 105.718
    assert run("tables", "import", LOG, *PHONE, *subject, "--out", "u.csv").code == 0
    (one,) = LatencyTable.load(Path("u.csv")).networks.values()
    assert (one.latency_ms, one.spread) == (105.784, pytest.approx(260 / 105784, rel=1e-4))


def test_yaml_blocks_become_rows_that_predict(run) -> None:  # type: ignore[no-untyped-def]
    setting = ("--device", "note10", "--runtime", "tflite", "--precision", "fp32", "--batch", "1")
    done = run("tables", "import", MBV3, *setting, "--out", "t.csv")
    assert done.code == 0 and "line 25: AvgPool2D" in done.err and "hard-swish is taken" in done.err
    assert len(LatencyTable.load(Path("t.csv")).rows) == 8
    block = "inverted(kernel=3,in_channels=16,hidden_channels=16,out_channels=16,stride=1,activation=relu)"
    network = f"conv(kernel=3,in_channels=3,out_channels=16,stride=2,activation=hard-swish){block}"
    records = run("predict", network, "--table", "t.csv", "--by-block", "--format", "json").json()
    assert [record["ms"] for record in records][:2] == [1.52, 1.87]


def test_a_layer_profile_is_shown_and_makes_no_table(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    shown = run("tables", "import", PROFILE, "--format", "json")
    assert [record["unit"] for record in shown.json()] == [0, 0, 1, 1, 1, 2, None, 2]
    assert "no table" in shown.err
    refused = run("tables", "import", PROFILE, "--out", "t.csv")
    assert refused.code == 2 and "--exportTimes" in refused.err
    assert list(tmp_path.glob("t.*")) == []


SUBJECT = ("--subject", NETWORK)
OUT = ("--out", "t.csv")
BAD = [
    ((TIMES, *SUBJECT, *OUT), "give --device, --runtime, --precision, --batch"),
    ((TIMES, *SETTING[:-2], *SUBJECT, *OUT), "give --batch"),
    ((TIMES, *SETTING, *SUBJECT), "--out TABLE.csv"),
    ((TIMES, *SETTING, *OUT), "name the network or workload with --subject"),
    ((TIMES, *SETTING, "--subject", "zoo:nonsense", *OUT), "no network is called"),
    ((TIMES, *SETTING, "--subject", "conv(kernel=3)@224", *OUT), "should have the fields"),
    ((TIMES, *SETTING, "--subject", WORKLOAD, "--resolution", "32", *OUT), "says its size itself"),
    ((TIMES, TIMES, *SETTING, *SUBJECT, *OUT), "holds the same as"),
    ((TIMES, LOG, *SETTING, *SUBJECT, *OUT), "of several kinds"),
    ((PROXYLESS, MBV3, *SETTING, *OUT), "one file of ofa-yaml at a time"),
    ((PROXYLESS, *SETTING, *SUBJECT, *OUT), "--subject has no use for ofa-yaml"),
    ((TIMES, *SETTING, *SUBJECT, *OUT, "--unit", "us"), "--unit has no use for trtexec"),
    ((TIMES, *SETTING, *SUBJECT, *OUT, "--warmup", "1h"), "start within the warm-up"),
    ((LOG, *SETTING, *SUBJECT, *OUT), "its runtime is litert, not tensorrt"),
    ((LOG, *PHONE, "--threads", "4", *SUBJECT, *OUT), "with 1 threads, not 4; give --threads 1"),
    (
        (LOG, *PHONE, "--runtime", "litert-builtin", *SUBJECT, *OUT),
        "ran 97% of its nodes: its runtime is litert",
    ),
    ((LOG, *PHONE, "--runtime", "litert-gpu", *SUBJECT, *OUT), "its runtime is litert, not litert-gpu"),
    ((TIMES, "--as", "benchmark-model", *PHONE, *SUBJECT, *OUT), "no line 'Inference timings"),
    ((TIMES, "--as", "ofa-yaml", *SETTING, *OUT), "no block table"),
    ((TIMES, *SETTING, "--device", "a/b", *SUBJECT, *OUT), "no name for a device"),
    ((TIMES, *SETTING, "--runtime", "a b", *SUBJECT, *OUT), "is not a setting"),
    ((TIMES, *SETTING, "--batch", "0", *SUBJECT, *OUT), "0"),
    (("missing.json", *SETTING, *SUBJECT, *OUT), "cannot be read"),
    ((str(IMPORTS / "README.md"), *SETTING, *SUBJECT, *OUT), "looks like none of"),
    ((), "give the files to import"),
    ((TIMES, "--subjects", TIMES, *SETTING, *OUT), "line 2 is not valid CSV"),
]


@pytest.mark.parametrize(("arguments", "reason"), BAD)
def test_what_cannot_be_imported_is_one_sentence(run, tmp_path: Path, arguments, reason: str) -> None:  # type: ignore[no-untyped-def]
    refused = run("tables", "import", *arguments)
    assert refused.code == 2 and reason in refused.err
    assert list(tmp_path.glob("t.*")) == [], "nothing is written"


def test_a_log_cut_short_is_refused_with_its_file(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "cut.log").write_text(Path(LOG).read_text()[:1200])
    refused = run("tables", "import", "cut.log", *PHONE, *SUBJECT, *OUT)
    assert refused.code == 2 and "cut.log, line 22: benchmark_model's figures are not whole" in refused.err


@pytest.mark.parametrize("there", ["t.csv", "t.json", "t.networks.csv", "t.journal.jsonl"])
def test_no_part_of_a_table_is_overwritten(run, tmp_path: Path, there: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / there).write_text("mine")
    for arguments in ((TIMES, *SETTING, *SUBJECT), (PROXYLESS, *SETTING)):
        refused = run("tables", "import", *arguments, *OUT)
        assert refused.code == 2 and f"{there} exists already" in refused.err
    assert [path.name for path in tmp_path.glob("t.*")] == [there]


def test_imported_tables_merge_and_are_listed_as_they_are(run) -> None:  # type: ignore[no-untyped-def]
    for path, out in ((TIMES, "a.csv"), (TIMES_8, "b.csv")):
        run("tables", "import", path, *SETTING, *SUBJECT, "--out", out)
    assert run("tables", "merge", "a.csv", "b.csv", "--out", "c.csv").code == 0
    (row,) = LatencyTable.load(Path("c.csv")).networks.values()
    assert row.runs == 40 + 23


def test_export_holds_every_row_or_says_what_it_lacks(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run("tables", "import", PROXYLESS, *SETTING, "--out", "t.csv")
    table = LatencyTable.load(Path("t.csv"))
    done = run("tables", "export", "t.csv", "--format", "ofa-yaml", "--out", "t.yaml")
    assert done.code == 0 and "not in t.yaml: the setting" in done.err
    assert run("tables", "import", "t.yaml", *SETTING, "--out", "again.csv").code == 0
    again = LatencyTable.load(Path("again.csv"))
    assert {w: r.latency_ms for w, r in again.rows.items()} == {
        w: r.latency_ms for w, r in table.rows.items()
    }
    assert again.card.setting == table.card.setting

    assert run("tables", "export", "t.csv", "--format", "csv", "--out", "flat.csv").code == 0
    records = list(csv.DictReader((tmp_path / "flat.csv").read_text().splitlines()))
    assert {record["subject"]: float(record["latency_ms"]) for record in records} == {
        str(workload): row.latency_ms for workload, row in table.rows.items()
    }
    assert {record["batch"] for record in records} == {"64"}
    assert float(records[0]["latency_per_image_ms"]) == pytest.approx(float(records[0]["latency_ms"]) / 64)

    assert run("tables", "export", "t.csv", "--format", "json", "--out", "flat.json").code == 0
    document = json.loads((tmp_path / "flat.json").read_text())
    assert [row["subject"] for row in document["rows"]] == [str(workload) for workload in table.rows]
    assert document["card"]["setting"]["device"] == "t4"


def test_export_of_a_profile_leaves_out_what_has_no_key(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert run("profile", "--device", "simulated", "--blocks", "12", "--table", "s.csv").code == 0
    for style in ("csv", "json"):
        assert run("tables", "export", "s.csv", "--format", style, "--out", f"out.{style}").code == 0
    table = LatencyTable.load(Path("s.csv"))
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 1 + len(table.rows) + len(table.networks)
    document = json.loads((tmp_path / "out.json").read_text())
    assert set(document["networks"]) == {network.digest for network in table.networks}
    refused = run("tables", "export", "s.csv", "--format", "csv", "--out", "out.csv")
    assert refused.code == 2 and "exists already" in refused.err
    run("tables", "import", TIMES, *SETTING, "--subject", NETWORK, "--out", "n.csv")
    empty = run("tables", "export", "n.csv", "--format", "ofa-yaml", "--out", "n.yaml")
    assert empty.code == 2 and "no workload of this table has a key" in empty.err
    assert not (tmp_path / "n.yaml").exists()


def test_a_log_redirected_by_powershell_is_read(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    text = Path(LOG).read_text().replace("\n", "\r\n")
    (tmp_path / "wide.log").write_bytes(text.encode("utf-16"))
    assert run("tables", "import", "wide.log", *PHONE, *SUBJECT, *OUT).code == 0
    (tmp_path / "cut.log").write_bytes(text.encode("utf-16")[:-1])
    refused = run("tables", "import", "cut.log", *PHONE, *SUBJECT, "--out", "u.csv")
    assert refused.code == 2 and "cut.log cannot be read as text; save it as UTF-8" in refused.err
