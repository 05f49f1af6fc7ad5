"""`zenbench search --like`: a network of one's own gives the budget and the start, and is shown beside."""

import json
from pathlib import Path
from typing import Any

import pytest
from places import DATA
from toys import PLAIN_WITH_END
from zenbench.bench.cli.searches import run as command
from zenbench.bench.searching.run_folder import STATE
from zenbench.latency_tables.predictor import predictor
from zenbench.latency_tables.table import LatencyTable
from zenbench.zen.cost import cost
from zenbench.zen.families import zoo
from zenbench.zen.network import parse_text
from zenbench.zen.search.run import SearchState

QUICK = ("--evaluations", "400", "--population", "32", "--rescore", "none", "--no-measure")
SHAPE = (
    "--layers",
    "none",
    "--min-width",
    "none",
    "--max-stage-share",
    "none",
    "--max-depth-to-width",
    "none",
)
OWN = zoo("zennet-cifar-0.5m")
LIKE = ("search", "--like", "zoo:zennet-cifar-0.5m", *QUICK, *SHAPE)
FOREIGN = str(DATA / "onnx" / "plain_64.onnx")


def result(folder: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(folder, "result.json").read_text())
    return found


def test_a_network_gives_the_budget_and_the_start(run) -> None:  # type: ignore[no-untyped-def]
    done = run(*LIKE, "--out", "r")
    assert done.code == 0 and "search: no limit on the latency: there is no latency table" in done.err
    record, own = result("r"), cost(OWN)
    budget = record["task"]["budget"]
    assert (budget["params"], budget["macs"], budget["latencies"]) == (own.params, own.macs, [])
    assert (record["resolution"], record["classes"]) == (32, 100)
    assert record["start"] == OWN.text and record["score"] >= record["like"]["score"]
    given = {
        "digest": OWN.digest,
        "layers": own.layers,
        "params": own.params,
        "macs": own.macs,
        "unknown": [],
    }
    assert given.items() <= record["like"].items()
    heading, _, yours, found = done.out.splitlines()
    assert heading.split()[:2] == ["network", "score"]
    assert yours.startswith("yours") and found.startswith("found")
    assert f"{record['like']['score']:.2f}" in yours and f"{record['score']:.2f}" in found


def test_options_come_before_the_network(run) -> None:  # type: ignore[no-untyped-def]
    options = ("--params", "200k", "--resolution", "16", "--classes", "10", "--space", "mobilenet")
    (record,) = run(*LIKE, *options, "--out", "r", "--format", "json").json()
    assert record["task"]["budget"]["params"] == 200_000 and record["params"] <= 200_000
    assert record["task"]["space"]["name"] == "mobilenet"
    sized = parse_text(OWN.text, 16, 10)
    assert record["like"]["digest"] == sized.digest
    assert record["task"]["budget"]["macs"] == cost(sized).macs
    assert (record["resolution"], record["classes"]) == (16, 10)


def test_the_space_is_of_the_kind_of_the_network(run) -> None:  # type: ignore[no-untyped-def]
    options = ("--resolution", "64", "--params", "5M")
    run("search", "--like", "zoo:mobilenetv2-1.0", *QUICK, *options, "--out", "r")
    record = result("r")
    assert record["task"]["space"]["name"] == "mobilenet"
    (start,) = record["task"]["space"]["start"]
    assert start["up_to_resolution"] == 64 and "SuperResIDWE6K3(96,160,2" in start["blocks"]
    assert record["like"]["network"] == "zoo:mobilenetv2-1.0" and record["like"]["layers"] == 53


def test_a_latency_is_a_limit_under_the_table_that_is_asked_for(run) -> None:  # type: ignore[no-untyped-def]
    device = ("--device", "simulated")
    made = run(
        "profile", *device, "--space", "resnet", "--resolution", "16", "--blocks", "40", "--table", "t.csv"
    )
    assert made.code == 0
    Path("own.txt").write_text(PLAIN_WITH_END)
    own = parse_text(PLAIN_WITH_END, 16, 10)
    ms = predictor(LatencyTable.load(Path("t.csv"))).estimate(own).ms
    sizes = ("--resolution", "16", "--classes", "10")
    search = ("search", "--like", "own.txt", *sizes, *QUICK, *SHAPE)
    shown = run(*search, "--table", "t.csv", "--out", "r")
    record = result("r")
    (limit,) = record["task"]["budget"]["latencies"]
    assert ms <= limit["limit_ms"] <= 1.002 * ms and limit["confidence"] == 0.5
    assert record["start"] == PLAIN_WITH_END and record["like"]["latency_ms"] == {"latency on simulated": ms}
    assert record["latencies"][0]["latency_ms"] <= limit["limit_ms"]
    assert "+-" in shown.out.splitlines()[2] and "latency on simulated" in shown.out.splitlines()[0]

    run(*search, "--table", "t.csv", "--latency", "9ms", "--out", "s")
    (limit,) = result("s")["task"]["budget"]["latencies"]
    assert limit["limit_ms"] == 9 and limit["confidence"] is None
    missing = run(*search, "--device", "t4", "--precision", "fp32")
    assert missing.code == 2 and "there is no latency table for t4" in missing.err


@pytest.mark.parametrize("front", [(), ("--front", "params")])
def test_it_goes_on_and_is_repeated_from_the_same_start(  # type: ignore[no-untyped-def]
    run, monkeypatch: pytest.MonkeyPatch, front: tuple[str, ...]
) -> None:
    monkeypatch.setattr("zenbench.zen.search.run.EPOCH", 100)
    search = (*LIKE, *front)
    whole = run(*search, "--out", "whole")
    real = command.search

    def interrupted(task, **options):  # type: ignore[no-untyped-def]
        def progress(state: SearchState) -> None:
            options["progress"](state)
            if state.evaluated >= 200:
                raise KeyboardInterrupt

        return real(task, **{**options, "progress": progress})

    with monkeypatch.context() as patch:
        patch.setattr(command, "search", interrupted)
        assert run(*search, "--out", "part").code != 0
    other = run("search", "--params", "600k", *QUICK, *front, "--out", "part")
    assert other.code == 2 and "another search" in other.err
    assert Path("part", STATE).exists() and run(*search, "--out", "part").out == whole.out
    repeated = run("search", "--repeat", "whole/result.json", "--rescore", "none", "--out", "again")
    assert repeated.out == whole.out and result("again")["like"] == result("whole")["like"]
    assert [line.split()[0] for line in whole.out.splitlines() if line.startswith("yours")] == ["yours"]


def test_a_file_of_another_tool_is_shown_without_what_is_not_known(run) -> None:  # type: ignore[no-untyped-def]
    limits = ("--params", "100k", "--macs", "10M")
    done = run("search", "--like", FOREIGN, *limits, *QUICK, *SHAPE, "--out", "r")
    assert done.code == 0 and "yours: not scored:" in done.err and "no limit on the latency" in done.err
    yours = done.out.splitlines()[2]
    assert yours.startswith("yours") and "not computed" in yours and "442.5k" in yours
    record = result("r")
    assert record["like"]["score"] is None and record["like"]["params"] == 618
    assert record["resolution"] == 64 and record["classes"] == 10

    given = run("search", "--like", FOREIGN, *limits, "--latency", "t4=5ms", *QUICK, *SHAPE, "--out", "s")
    (row,) = run("predict", FOREIGN, "--device", "t4", "--format", "json").json()
    assert given.code == 0 and result("s")["like"]["latency_ms"] == {
        "latency on t4": pytest.approx(row["latency_ms"])
    }


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--like", ""), "the structure is empty"),
        (("--like", "nothing.onnx"), "there is no file nothing.onnx"),
        (("--like", str(DATA / "onnx" / "recurrent_state.onnx")), "takes inputs of 64; give one of square"),
        (
            ("--like", "conv(kernel=3,in_channels=3,out_channels=8,stride=3)"),
            "reduces its input 3 times, which strides of 1 and 2 do not make; give a --space",
        ),
        (("--like", FOREIGN, "--resolution", "32"), "plain_64.onnx"),
        (("--like", "zoo:resnet-18", "--repeat", "result.json"), "leave out --like"),
    ],
)
def test_what_cannot_be_bettered_is_refused(run, arguments: tuple[str, ...], fault: str) -> None:  # type: ignore[no-untyped-def]
    refused = run("search", *arguments, *QUICK)
    assert refused.code == 2 and fault in refused.err and not Path("runs").exists()


def test_a_damaged_record_is_not_repeated(run) -> None:  # type: ignore[no-untyped-def]
    run(*LIKE, "--out", "r")
    for damaged in ("zoo:resnet-18", {"network": "zoo:resnet-18"}, {"score": "much"}):
        Path("edited.json").write_text(json.dumps({**result("r"), "like": damaged}))
        refused = run("search", "--repeat", "edited.json")
        assert refused.code == 2 and "does not say what its search was to better" in refused.err
