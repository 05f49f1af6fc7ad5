"""The commands as a user runs them, on the simulated device: answers, files, bad input, exit codes."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from places import ROOT
from toys import MOBILE
from zenbench.bench.cli.main import COMMANDS
from zenbench.bench.cli.shared.output import Column, show_table
from zenbench.bench.latency_files.latency_rows import read_rows
from zenbench.bench.measuring.journal import read as read_journal
from zenbench.bench.measuring.recipe import Recipe
from zenbench.zen.families import zoo_names

PROFILE = ("profile", "--device", "simulated", "--space", "mobilenet", "--resolution", "32", "--blocks", "30")


def python(code: str, **options: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, text=True, **options)  # type: ignore[call-overload, no-any-return]


CLI = "import sys; from zenbench.bench.cli.main import main; main(sys.argv[1:])"


def test_help_is_complete_and_loads_nothing_slow() -> None:
    code = (
        "import sys\nfrom zenbench.bench.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([name for name in ('torch', 'onnx', 'onnxruntime', 'pandas', 'scipy') if name in sys.modules])"
    )
    out, _ = python(code, stdout=subprocess.PIPE).communicate()
    assert out.splitlines()[-1] == "[]"
    for name in COMMANDS:
        assert f"  {name} " in out


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_explains_itself(run, name: str) -> None:  # type: ignore[no-untyped-def]
    result = run(name, "--help")
    assert result.code == 0
    assert result.out.startswith("Usage: zenbench")


def test_cost_in_all_formats(run) -> None:  # type: ignore[no-untyped-def]
    (record,) = run("cost", "zoo:zennet-cifar-1m", "--format", "json").json()
    assert (record["params"], record["layers"], record["digest"]) == (1_040_844, 18, "a2ebdcb54637f4e0")
    rows = list(csv.DictReader(io.StringIO(run("cost", "zoo:all", "--format", "csv").out)))
    assert len(rows) == len(zoo_names())
    assert "1.041M" in run("cost", "zoo:zennet-cifar-1m").out


def test_score_readings_and_proxies(run) -> None:  # type: ignore[no-untyped-def]
    closed = run("score", MOBILE, "--resolution", "32", "--format", "json").json()[0]
    forward = run(
        "score", MOBILE, "--resolution", "32", "--proxy", "zen", "--repeats", "4", "--format", "json"
    ).json()[0]
    running = run("score", MOBILE, "--resolution", "32", "--reading", "running", "--format", "json").json()[0]
    assert forward["value"] == pytest.approx(closed["value"], rel=0.03)
    assert float(str(forward["std"])) > 0 == closed["std"]
    assert float(str(running["value"])) < float(str(closed["value"]))


def test_the_whole_path(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    device = ("--device", "simulated")
    shipped = run("tables", "--format", "json").json()
    assert {table["provenance"] for table in shipped} == {"modelled"}
    assert run(*PROFILE).code == 0
    table, *others = run("tables", "--format", "json").json()
    assert table["workloads"] == 30 and table["provenance"] == "measured" and others == shipped
    assert run(*PROFILE).code == 0, "nothing is left to do"
    assert run("tables", "--format", "json").json() == [table, *shipped]

    budget = run("predict", MOBILE, "--resolution", "32", *device, "--format", "json").json()[0]["latency_ms"]
    limit = f"{4 * float(str(budget))}ms"
    search = ("search", *device, "--latency", limit, "--layers", "8", "--space", "mobilenet")
    more = ("--resolution", "32", "--classes", "10", "--evaluations", "300", "--no-measure")
    (result,) = run(*search, *more, "--out", "found", "--format", "json").json()
    assert json.loads((tmp_path / "found/result.json").read_text()).items() <= result.items()
    wanted = "network resolution classes score score_forward score_forward_sem reading macs params layers"
    wanted += " latencies evaluated rejected seconds rescore_seconds start task command versions"
    assert set(wanted.split()) <= set(result)
    assert result["latencies"][0]["latency_ms"] <= 4 * float(str(budget))
    assert len((tmp_path / "found/best.csv").read_text().splitlines()) > 4
    times = {"seconds": 0, "rescore_seconds": 0, "command": []}
    (again,) = run(*search, *more, "--out", "again", "--format", "json").json()
    assert {**again, **times} == {**result, **times}
    repeat = ("search", "--repeat", "found/result.json", "--out", "repeated", "--format", "json")
    again = run(*repeat).json()[0]
    assert "the search to repeat did not measure" in again["verdicts"][0]["text"]
    assert {**again, **times, "verdicts": []} == {**result, **times, "verdicts": []}

    networks = ("found/result.json", "found/network.json", "zoo:zennet-cifar-0.5m", MOBILE)
    (tmp_path / "list.txt").write_text("\n".join(networks[1:]))
    assert run("export", "found/result.json", "--onnx", "n.onnx").code == 0
    assert json.loads((tmp_path / "n.onnx.json").read_text())["relative_error"] < 1e-4
    assert run("predict", "--networks", "list.txt", *device, "--out", "p.csv").code == 0
    assert run("measure", "--networks", "list.txt", *device, "--out", "m.csv").code == 0
    assert all((row.versions or "").startswith("onnx ") for row in read_rows(tmp_path / "m.csv"))
    (agreement,) = run("compare", "m.csv", "p.csv", "--format", "json").json()
    assert agreement["count"] == 3
    assert run("compare", "m.csv", "p.csv", "--fail-above", "0.0001%").code == 1
    assert run("compare", "m.csv", "p.csv", "--fail-above", "1000%").code == 0
    assert run("measure", "n.onnx", *device, "--out", "file.csv").code == 0


def test_by_block_adds_up(run) -> None:  # type: ignore[no-untyped-def]
    run(*PROFILE)
    records = run("predict", MOBILE, "--device", "simulated", "--by-block", "--format", "json").json()
    whole = run("predict", MOBILE, "--device", "simulated", "--format", "json").json()[0]
    assert sum(float(str(r["ms"])) * int(str(r["times"])) for r in records) == pytest.approx(whole["sum_ms"])
    assert sum(float(str(r["share"])) for r in records) == pytest.approx(1.0)


def test_per_image(run) -> None:  # type: ignore[no-untyped-def]
    setting = ("--device", "simulated", "--batch", "4")
    run(*PROFILE, "--batch", "4")
    record = run("predict", MOBILE, *setting, "--format", "json").json()[0]
    assert record["latency_ms"] == pytest.approx(4 * float(str(record["latency_per_image_ms"])))
    limit = f"{0.6 * float(str(record['latency_ms']))}ms"
    space = ["--space", "mobilenet", "--resolution", "16", "--layers", "6", "--evaluations", "50"]
    search = ("search", *setting, *space)
    per_run = run(*search, "--latency", limit, "--out", "a", "--format", "json").json()[0]
    per_image = run(*search, "--latency", limit, "--per-image", "--out", "b", "--format", "json").json()[0]
    limits = [r["latencies"][0]["limit_ms"] for r in (per_run, per_image)]
    assert limits[1] == pytest.approx(4 * limits[0])


def test_tables_of_two_sittings_merge(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for name, seed in (("a", "1"), ("b", "2")):
        assert run(*PROFILE[:-1], "12", "--seed", seed, "--table", f"{name}.csv").code == 0
    assert run("tables", "merge", "a.csv", "b.csv", "--out", "c.csv").code == 0
    rows = [len((tmp_path / f"{name}.csv").read_text().splitlines()) for name in "abc"]
    assert max(rows[:2]) < rows[2] <= sum(rows[:2])
    assert run("tables", "merge", "a.csv", "b.csv", "--out", "c.csv").code == 2


BAD = [
    (("cost", "SuperConvK3BNRELU(3,8,1,1"), "unclosed bracket"),
    (("cost", "SuperFooK3(3,8,1,1)"), "unknown block"),
    (("cost", "SuperConvK3BNRELU(3,8,1,1)SuperResK3K3(9,8,1,8,1)"), "takes 9 channels"),
    (("cost", "SuperConvK3BNRELU(3,0,1,1)"), "width must be"),
    (("cost", "SuperConvK3BNRELU(3,-8,1,1)"), "width must be"),
    (("cost", "SuperConvK3BNRELU(3,8,1,99999)"), "number of layers"),
    (("cost", "missing.json"), "there is no file"),
    (("cost", "zoo:nonsense"), "no network is called"),
    (("cost",), "name at least one network"),
    (("cost", "--networks", "none.txt"), "cannot be read"),
    (("score", MOBILE, "--proxy", "magic"), "magic"),
    (("predict", MOBILE, "--device", "toaster"), "no device is called"),
    (("predict", MOBILE), "zenbench profile --device host"),
    (("predict", MOBILE, "--table", "none.csv"), "there is no table"),
    (("predict", MOBILE, "--table", "t.json"), "ending in .csv"),
    (("profile", "--device", "simulated", "--blocks", "3", "--table", "t.json"), "ending in .csv"),
    (("search", "--params", "1M", "--space", "vit"), "vit"),
    (("search",), "needs a budget"),
    (("search", "--latency", "11", "--device", "simulated"), "no unit"),
    (("search", "--latency", "-3ms", "--device", "simulated"), "-3ms"),
    (("search", "--latency", "0ms", "--device", "simulated"), "more than zero"),
    (("search", "--params", "10", "--resolution", "32"), "impossible budget"),
    (("search", "--macs", "lots"), "not a count"),
    (("profile", "--device", "simulated", "--time", "3"), "no unit"),
    (("profile", "--device", "simulated", "--blocks", "0"), "0"),
    (("profile", "--device", "host", "--threads", "9999", "--blocks", "1"), "9999"),
    (("profile", "--device", "host", "--precision", "int4", "--blocks", "1"), "int4"),
    (("export", MOBILE, "--onnx", "file.txt"), "should end in .onnx"),
    (("export", MOBILE, "--onnx", "n.onnx", "--weights", "none.pt"), "no weights file"),
    (("compare", "a.csv", "b.csv"), "there is no file"),
]


@pytest.mark.parametrize("arguments, reason", BAD, ids=[" ".join(arguments)[:40] for arguments, _ in BAD])
def test_bad_input_is_one_sentence_and_exit_code_2(
    run, tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:  # type: ignore[no-untyped-def]
    result = run(*arguments)
    assert result.code == 2
    assert reason in result.err
    assert result.out == ""
    said = [line for line in result.err.splitlines() if line and not re.match(r"Usage:|Try ", line)]
    assert len(said) == 1, result.err
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert not {name for name in left if not name.endswith(".lock")}, "nothing is left behind"


def test_a_table_of_another_cpu_is_refused(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run(*PROFILE, "--table", "t.csv")
    card = json.loads((tmp_path / "t.json").read_text())
    card["setting"]["device"] = "host"
    card["identity"] = {"cpu": "another CPU"}
    (tmp_path / "t.json").write_text(json.dumps(card))
    result = run("predict", MOBILE, "--table", "t.csv")
    assert result.code == 2
    assert "belongs to another CPU" in result.err


def test_a_damaged_table_is_rebuilt_from_its_journal(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run(*PROFILE, "--table", "t.csv")
    good = (tmp_path / "t.csv").read_text()
    (tmp_path / "t.csv").write_text(good[:100])
    assert run("predict", MOBILE, "--device", "simulated", "--table", "t.csv").code == 2
    assert run(*PROFILE, "--table", "t.csv").code == 0
    assert (tmp_path / "t.csv").read_text() == good


def test_a_result_is_not_overwritten(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    search = (
        "search",
        "--params",
        "100k",
        "--resolution",
        "16",
        "--classes",
        "10",
        "--evaluations",
        "30",
        "--out",
        "r",
    )
    assert run(*search).code == 0
    before = (tmp_path / "r/result.json").read_bytes()
    assert run(*search).code == 2
    assert (tmp_path / "r/result.json").read_bytes() == before


def test_debug_shows_the_traceback() -> None:
    _, err = python(
        f"import sys; sys.argv[1:] = ['cost', 'nonsense(', '--debug']\n{CLI}", stderr=subprocess.PIPE
    ).communicate()
    assert "Traceback" in err and "NetworkError" in err


def test_kill_during_a_profile_loses_at_most_the_measurement_under_way(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    journal = tmp_path / "t.journal.jsonl"
    arguments = [*PROFILE[:-1], "200", "--table", str(tmp_path / "t.csv")]
    process = python(f"import sys; sys.argv[1:] = {arguments!r}\n{CLI}", stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and (not journal.exists() or journal.read_bytes().count(b"\n") < 30):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = [one.subject for one in read_journal(journal).measurements]
    assert len(before) >= 29
    assert run(*PROFILE, "--table", str(tmp_path / "t.csv")).code == 0
    after = [one.subject for one in read_journal(journal).measurements]
    assert after[: len(before)] == before
    # Disturbed rounds are taken again, on a busy machine several of them.
    counts = [after.count(subject) for subject in set(after)]
    assert min(counts) == Recipe().rounds and max(counts) <= Recipe().most_rounds


def test_measuring_in_two_settings_needs_no_two_folders(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    measure = ("measure", MOBILE, "--resolution", "16", "--device", "simulated", "--format", "json")
    assert run(*measure).json()[0]["setting"].endswith("b1/t1/free")  # type: ignore[attr-defined]
    assert run(*measure, "--batch", "2").json()[0]["setting"].endswith("b2/t1/free")  # type: ignore[attr-defined]
    settings = [
        session.setting.batch for session in read_journal(tmp_path / "measured.journal.jsonl").sessions
    ]
    assert settings == [1, 2]


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", MOBILE, "--onnx", "file/x.onnx"),
        ("measure", MOBILE, "--device", "simulated", "--resolution", "32", "--out", "file/m.csv"),
        ("profile", "--device", "simulated", "--blocks", "3", "--table", "file/t.csv"),
        ("search", "--params", "1M", "--resolution", "16", "--evaluations", "10", "--out", "file/run"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_file_in_the_way_of_a_folder_is_named(run, tmp_path: Path, arguments: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("kept")
    result = run(*arguments)
    assert result.code == 2 and "the folder file" in result.err and "cannot be made" in result.err
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize(
    "record, reason",
    [
        ({"network": MOBILE, "score": 1, "resolution": "32", "classes": 10}, "must be whole numbers"),
        ({"network": "r.json", "score": 1, "resolution": 32, "classes": 10}, "expected a block"),
        ({"network": 5, "score": 1}, "must be a JSON object"),
    ],
)
def test_an_odd_result_is_refused(run, tmp_path: Path, record: dict[str, object], reason: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "r.json").write_text(json.dumps(record))
    result = run("cost", "r.json")
    assert result.code == 2 and "r.json: " in result.err and reason in result.err


@pytest.mark.parametrize(
    "layers", ["nn.ReLU(), nn.Conv2d(3, 8, 3)", "nn.Conv2d(3, 8, 1), nn.AvgPool2d(112), nn.Conv2d(8, 8, 1)"]
)
def test_a_network_of_ones_own_is_profiled_and_predicted(run, tmp_path: Path, layers: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "net.py").write_text(f"from torch import nn\ndef make(): return nn.Sequential({layers})")
    for _ in range(2):  # the second reads the journal of the first
        assert run(*PROFILE, "--table", "t.csv", "--for", "net.py:make").code == 0
    (record,) = json.loads(run("predict", "net.py:make", "--table", "t.csv", "--format", "json").out)
    assert record["coverage"] == 1


def test_what_no_table_can_hold_is_refused_before_it_is_measured(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "net.py").write_text("from torch import nn\ndef make(): return nn.Conv2d(3, 70000, 1)")
    (tmp_path / "names.txt").write_text("net.py:make\n")
    result = run(*PROFILE, "--table", "t.csv", "--for", "names.txt")
    assert result.code == 2 and "net.py:make cannot be in a table: " in result.err
    assert not list(tmp_path.glob("t.*"))


def test_a_line_that_names_no_network_is_told_with_its_file(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "names.txt").write_text("zoo:resnet-18\nnonsense\x1b[2J\n")
    result = run("cost", "--networks", "names.txt")
    assert result.code == 2 and "(in names.txt)" in result.err and "\x1b" not in result.err


def test_a_card_with_a_batch_of_nothing_is_refused(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run(*PROFILE, "--table", "t.csv")
    card = json.loads((tmp_path / "t.json").read_text())
    card["setting"]["batch"] = 0
    (tmp_path / "t.json").write_text(json.dumps(card))
    result = run("predict", MOBILE, "--table", "t.csv", "--device", "simulated")
    assert result.code == 2 and "missing or unknown entries" in result.err


@pytest.mark.parametrize(
    ("entry", "said"),
    [("\n[recipe]\nwindow = 0\n", "recipe has window = 0"), ("", "needs recipe, a table")],
)
def test_a_card_s_impossible_recipe_is_refused(run, tmp_path: Path, entry: str, said: str) -> None:  # type: ignore[no-untyped-def]
    shipped = (ROOT / "devices/cards/simulated.toml").read_text()
    start = "" if entry else "recipe = 5\n"
    (tmp_path / "home/cards").mkdir(parents=True)
    (tmp_path / "home/cards/own.toml").write_text(start + shipped.replace('"simulated"', '"own"', 1) + entry)
    for command in (("profile", "--blocks", "1"), ("measure", MOBILE)):
        refused = run(*command, "--device", "own")
        assert refused.code == 2 and said in refused.err and len(refused.err.splitlines()) == 1


def test_a_table_too_wide_for_a_terminal_is_a_paragraph_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "20")
    columns = (Column("whose", "", right=False), Column("layers", "layers"), Column("params", "parameters"))
    show_table([{"whose": "yours", "layers": 24, "params": 357_199}], columns)
    assert terminal.getvalue().split("\n") == ["yours", "layers: 24", "parameters: 357199", "", ""]
