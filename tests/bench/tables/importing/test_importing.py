"""Files of trtexec and block tables in YAML, read strictly: units, warm-up, rounds, and every fault."""

import json
from pathlib import Path
from typing import Any

import pytest
from places import DATA
from zenbench.bench.tables.importing.block_keys import key_of, workload_of
from zenbench.bench.tables.importing.block_yaml import read_blocks, write_blocks
from zenbench.bench.tables.importing.importing import MOST_ROUNDS, timings_of_trace
from zenbench.bench.tables.importing.trtexec import read_profile, read_times
from zenbench.devices.base import Setting
from zenbench.errors import NetworkError, TableError
from zenbench.latency_tables.card import TableCard
from zenbench.latency_tables.table import LatencyTable
from zenbench.zen.families import zoo
from zenbench.zen.units.mobile import InvertedUnit
from zenbench.zen.units.plain import ConvUnit, HeadUnit
from zenbench.zen.workload import Workload

IMPORTS = DATA / "imports"
PATH = Path("given.file")


def text_of(name: str) -> str:
    return (IMPORTS / name).read_text()


def run_at(start: float, compute: float, **changes: Any) -> dict[str, Any]:
    return {"startComputeMs": start, "endComputeMs": start + compute, "computeMs": compute, **changes}


@pytest.mark.parametrize(("release", "warmup"), [(7, 14), (8, 17), (10, 0)])
def test_runs_are_gpu_compute_times_with_warmup_and_copies_apart(release: int, warmup: int) -> None:
    name = f"trtexec{release}_times.json"
    records = json.loads(text_of(name))
    trace = read_times(text_of(name), PATH)
    computes = [record["computeMs"] for record in records]
    assert (list(trace.warmup_ms), list(trace.runs_ms)) == (computes[:warmup], computes[warmup:])
    to_gpu, from_gpu = trace.copies_ms
    assert to_gpu is not None and from_gpu is not None
    assert from_gpu < to_gpu < min(computes)


def test_the_warmup_is_as_long_as_asked() -> None:
    text = text_of("trtexec8_times.json")
    assert read_times(text, PATH, warmup_ms=0).warmup_ms == ()
    assert len(read_times(text, PATH, warmup_ms=400).runs_ms) < len(read_times(text, PATH).runs_ms)
    with pytest.raises(TableError, match="all 40 runs start within the warm-up"):
        read_times(text, PATH, warmup_ms=60_000)


@pytest.mark.parametrize("count", [1, 3, 10, 25, 1000])
def test_a_trace_becomes_rounds_that_hold_every_run_once_in_order(count: int) -> None:
    runs = [run_at(200.0 + 2 * index, 1 + index / 1000) for index in range(count)]
    trace = read_times(json.dumps([run_at(1.0, 1.5), *runs]), PATH)
    timings = timings_of_trace(trace)
    assert len(timings) == min(count, MOST_ROUNDS)
    assert [sample.ms for timing in timings for sample in timing.samples] == [r["computeMs"] for r in runs]
    assert [timing.warmup_ms for timing in timings] == [(1.5,), *[()] * (len(timings) - 1)]
    sizes = [timing.runs for timing in timings]
    assert max(sizes) - min(sizes) <= 1
    assert {timing.reference_ms for timing in timings} == {None}


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([run_at(300, 1, computeMs=0)], r"\[0\]\.computeMs is 0; a time must be above zero"),
        ([run_at(300, 1), run_at(302, -1.0)], r"\[1\]\.computeMs is -1"),
        ([run_at(300, 1, computeMs=float("nan"))], r"\[0\]\.computeMs is nan; it must be finite"),
        ([run_at(300, 1, endComputeMs=float("inf"))], r"endComputeMs is inf"),
        ([run_at(300, 1, computeMs="1.0")], r"\[0\]\.computeMs is '1\.0', not a number"),
        ([run_at(300, 1, computeMs=True)], r"computeMs is True, not a number"),
        ([run_at(300, 1, computeMs=10**400)], r"computeMs is 1000.* not a number"),
        ([{"startComputeMs": 300, "computeMs": 1}], r"endComputeMs is missing"),
        ([run_at(300, 1, computeMs=1000)], r"computeMs is 1000, but endComputeMs - startComputeMs is 1"),
        ([run_at(300, 5), run_at(302, 5)], "overlaps.*--infStreams"),
        ([run_at(300, 5), run_at(300, 5)], "overlaps"),
        ([run_at(300, 1, h2dMs=0.1), run_at(302, 1)], r"\[1\]\.h2dMs is missing"),
        ([], "should hold a JSON list"),
        ({"a": 1}, "should hold a JSON list"),
        ([run_at(300, 1), 7], r"\[1\] is no JSON object"),
    ],
)
def test_impossible_traces_are_refused_with_their_place(records: object, reason: str) -> None:
    with pytest.raises(TableError, match=rf"given\.file.*{reason}"):
        read_times(json.dumps(records), PATH)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[\n{,\n]", "line 2 is not valid JSON"),
        ('[\n{ "computeMs" : nan }\n]', "line 2 is not valid JSON"),
        ('[{"computeMs": 1, "computeMs": 2}]', "a key stands twice"),
        ("[" * 100_000, "not valid JSON"),
        ("", "line 1 is not valid JSON"),
    ],
)
def test_damaged_json_is_refused_with_its_line(text: str, reason: str) -> None:
    with pytest.raises(TableError, match=reason):
        read_times(text, PATH)


@pytest.mark.parametrize("name", ["trtexec7_times.json", "trtexec10_times.json"])
def test_a_trace_cut_short_is_refused(name: str) -> None:
    text = text_of(name).rstrip()
    for length in range(1, len(text), 97):
        with pytest.raises(TableError):
            read_times(text[:length], PATH)


def test_layers_know_their_unit_where_all_their_names_tell_one() -> None:
    layers = read_profile(text_of("trtexec10_profile.json"), PATH)
    assert [layer.unit for layer in layers] == [0, 0, 1, 1, 1, 2, None, 2]
    assert sum(layer.share for layer in layers) == pytest.approx(1, rel=1e-4)
    assert all(layer.median_ms is not None and layer.median_ms < layer.average_ms for layer in layers)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda records: records.pop(3), "percentages add up"),
        (lambda records: records.pop(0), r"\[0\] should be"),
        (lambda records: records[0].update(count=0), r"\[0\] should be"),
        (lambda records: records[2].update(averageMs=-1), r"\[2\]\.averageMs is -1"),
        (lambda records: records[2].update(timeMs=None), r"\[2\]\.timeMs is missing"),
        (lambda records: records[2].update(name=""), r"\[2\]\.name"),
        (lambda records: records[2].update(medianMs=float("nan")), r"\[2\]\.medianMs is nan"),
    ],
)
def test_damaged_profiles_are_refused_with_their_place(change: Any, reason: str) -> None:
    records = json.loads(text_of("trtexec10_profile.json"))
    change(records)
    with pytest.raises(TableError, match=reason):
        read_profile(json.dumps(records), PATH)


def test_proxyless_keys_are_blocks_with_relu6_and_a_ratio() -> None:
    table = read_blocks(text_of("proxyless.yaml"), PATH)
    row = table.rows[Workload(InvertedUnit(3, 16, 96, 24, 2, "relu6"), 112)]
    assert (row.latency_ms, row.rounds, row.verdict) == (5.37, 10, "quiet")
    assert row.spread * row.latency_ms == pytest.approx(0.11)
    assert set(table.rows) >= {
        Workload(ConvUnit(3, 3, 32, 2, "relu6"), 224),
        Workload(ConvUnit(1, 320, 1280, 1, "relu6"), 7),
        Workload(HeadUnit(1280, 1000), 7),
    }
    (left_out,) = table.left_out
    assert left_out.line == 17 and "idskip:0" in left_out.reason
    assert table.rows[Workload(InvertedUnit(5, 24, 72, 24, 1, "relu6"), 56)].verdict == "noisy"


def test_mbv3_keys_are_blocks_with_gates_and_a_hidden_width() -> None:
    table = read_blocks(text_of("ofa_mbv3.yaml"), PATH)
    gated = InvertedUnit(7, 112, 672, 112, 1, "hard-swish", squeezed_channels=168, gate="hard-sigmoid")
    assert {Workload(gated, 14), Workload(ConvUnit(3, 3, 16, 2, "hard-swish"), 224)} <= set(table.rows)
    assert [one.key.split("-")[0] for one in table.left_out] == ["AvgPool2D"]


def test_the_activation_is_an_assumption_that_can_be_changed() -> None:
    table = read_blocks(text_of("proxyless.yaml"), PATH, activation="relu")
    assert Workload(InvertedUnit(3, 16, 96, 24, 2, "relu"), 112) in table.rows


def test_the_unit_scales_means_and_deviations() -> None:
    one, thousandth = (
        read_blocks(text_of("proxyless.yaml"), PATH, unit_ms=unit).rows for unit in (1.0, 1e-3)
    )
    for workload, row in one.items():
        assert thousandth[workload].latency_ms == pytest.approx(row.latency_ms / 1000)
        assert thousandth[workload].spread == pytest.approx(row.spread)


def test_blocks_of_a_published_network_have_the_keys_of_its_own_table() -> None:
    workloads = zoo("ofanet-595m").workloads()
    keys = [key_of(workload, "mbv3") for workload in workloads]
    lacking = {w.unit.kind for w, key in zip(workloads, keys, strict=True) if key is None}
    assert lacking == {"pooled_conv"}
    for workload, key in zip(workloads, keys, strict=True):
        if key is not None:
            assert workload_of(key, "hard-swish") == workload


def test_a_key_stands_for_one_workload_only() -> None:
    for workload in (
        Workload(InvertedUnit(3, 16, 40, 24, 2, "relu6"), 112),  # 2.5 times the input is no whole ratio
        Workload(InvertedUnit(3, 16, 96, 24, 2, "swish"), 112),
        Workload(ConvUnit(5, 3, 16, 2, "relu6"), 224),
        Workload(ConvUnit(3, 3, 16, 2, "relu6"), 1),  # at size 1 a stride does not show
        Workload(InvertedUnit(3, 16, 96, 24, 2, "relu6", squeezed_channels=4), 112),
    ):
        assert key_of(workload, "proxyless") is None


@pytest.mark.parametrize("name", ["proxyless.yaml", "ofa_mbv3.yaml"])
def test_what_was_exported_reads_back_the_same(name: str) -> None:
    rows = read_blocks(text_of(name), PATH).rows
    card = TableCard(Setting("any", "any"), "measured", {}, {}, {}, None, None, "now", "test")
    text, missing = write_blocks(LatencyTable(card, rows))
    again = read_blocks(text, PATH)
    assert missing == [] and again.left_out == ()
    assert list(again.rows) == list(rows)
    for workload, row in rows.items():
        assert again.rows[workload].latency_ms == row.latency_ms
        assert again.rows[workload].rounds == row.rounds
        assert again.rows[workload].spread == pytest.approx(row.spread, rel=1e-5)


STEM = "Conv-input:224x224x3-output:112x112x32"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{STEM}: {{count: 3, mean: nan, std: 0}}", "line 1.*mean is nan; it must be finite"),
        (f"{STEM}: {{count: 3, mean: .nan, std: 0}}", r"line 1.*mean is .\.nan., not a number"),
        (f"{STEM}: {{count: 3, mean: 0, std: 0}}", "line 1.*mean is 0; a time must be above zero"),
        (f"{STEM}: {{count: 3, mean: -2, std: 0}}", "line 1.*mean is -2"),
        (f"{STEM}: {{count: 0, mean: 1, std: 0}}", "count is 0"),
        (f"{STEM}: {{count: 1.5, mean: 1, std: 0}}", "count is 1.5"),
        (f"{STEM}: {{count: 3, mean: 1, std: -1}}", "std is -1"),
        (f"{STEM}: {{count: 3, mean: 1, mean: 2, std: 0}}", "mean stands twice"),
        (f"{STEM}: {{count: 3, mean: fast, std: 0}}", "mean is 'fast', not a number"),
        (f"{STEM}: {{count: 3, mean: [1], std: 0}}", "mean is missing, not a number"),
        (f"{STEM}: {{count: 3, std: 0}}", "has no mean"),
        (f"{STEM}: 4.5", "line 1.*should have mean"),
        (f"# two\n{STEM}: {{mean: 1}}\n{STEM}: {{mean: 1}}", "line 3: .*stands in line 2 already"),
        (f"{STEM}: {{mean: 1\n", "line 2 is not valid YAML"),
        ("- 1\n- 2\n", "no block table"),
        ("", "no block table"),
        ("lr: 0.1\nepochs: 3\n", "none of its 2 entries.*line 1, 'lr'"),
        ("{" * 20_000, "not valid YAML"),
        ("a: \x00", "not valid YAML"),
    ],
)
def test_impossible_block_tables_are_refused_with_their_line(text: str, reason: str) -> None:
    with pytest.raises(TableError, match=rf"given\.file.*{reason}"):
        read_blocks(text, PATH)


def test_without_count_and_std_the_spread_is_unknown() -> None:
    table = read_blocks(f"{STEM}: {{mean: 2.5}}", PATH)
    (row,) = table.rows.values()
    assert (row.latency_ms, row.rounds, row.spread, table.unknown_spreads) == (2.5, 1, 0.0, 1)


INNER = "expand:6-kernel:3-stride:2-idskip:0"


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("Conv-input:224x200x3-output:112x100x32", "not square"),
        ("Conv-input:224x224x3-output:3x3x32", "no stride takes"),
        ("Conv-input:224x224-output:112x112x32", "height x width x channels"),
        ("Conv-input:224x224x0-output:112x112x32", "above zero"),
        ("Conv-input:224x224x3-output:112x112x999999", "out_channels must be"),
        (f"Conv-input:224x224x3-output:112x112x32-{INNER}", "Conv has no expand"),
        (f"expanded_conv-input:112x112x16-output:56x56x24-{INNER}-idskip:0", "twice"),
        ("expanded_conv-input:112x112x16-output:56x56x24-expand:6-kernel:3", "a block should have"),
        (f"expanded_conv-input:112x112x16-output:55x55x24-{INNER}", "gives an output of 56"),
        (f"expanded_conv-input:112x112x16-output:56x56x24-{INNER}".replace("3-s", "4-s"), "must be odd"),
        (f"expanded_conv-input:112x112x16-output:56x56x24-{INNER}".replace("stride:2", "stride:0"), "stride"),
        (f"expanded_conv-input:112x112x16-output:56x56x24-{INNER}".replace("p:0", "p:1"), "another shape"),
        (f"expanded_conv-input:112x112x16-output:56x56x24-{INNER}".replace("p:0", "p:2"), "must be 0 or 1"),
        ("Logits-input:7x7x1280-output:1x1x1000", "number of classes"),
        ("Logits-input:7x7x1280-output:9999999999", "nine digits"),
        ("LSTM-input:7x7x1280-output:7x7x3", "no unit does what LSTM does"),
        ("anything else", "not a key"),
    ],
)
def test_keys_that_are_no_block_of_ours_say_why(key: str, reason: str) -> None:
    with pytest.raises(NetworkError, match=reason):
        workload_of(key, "relu6")


def test_a_spread_may_be_a_variance() -> None:
    path = IMPORTS / "proxyless_var.yaml"
    rows = list(read_blocks(path.read_text(), path).rows.values())
    assert [row.spread for row in rows] == [pytest.approx(0.03), pytest.approx(0.08387, rel=1e-3)]
    assert {row.rounds for row in rows} == {154}


@pytest.mark.parametrize(
    ("more", "fault"),
    [("  var: -1", "var is -1; it must not be negative"), ("  std: 1\n  var: 3", "not its square")],
)
def test_a_variance_that_cannot_be_is_refused(more: str, fault: str) -> None:
    text = f"Conv-input:224x224x3-output:112x112x32:\n  count: 9\n  mean: 5\n{more}\n"
    with pytest.raises(TableError, match=fault):
        read_blocks(text, Path("a.yaml"))


@pytest.mark.parametrize(
    ("entry", "unit_ms"),
    [
        ("mean: 1.0e+308", 1e3),
        ("mean: 5\n  count: 9\n  std: 1.0e+307", 1e3),
        ("mean: 1.0e-320\n  count: 9\n  var: 1", 1.0),
        ("mean: 5\n  std: 1\n  count: 1.0e+300", 1.0),
        ("mean: 5\n  count: 9\n  std: 1.0e+200\n  var: 1", 1.0),
    ],
)
def test_impossible_figures_are_refused(entry: str, unit_ms: float) -> None:
    text = f"Conv-input:224x224x3-output:112x112x32:\n  {entry}\n"
    with pytest.raises(TableError, match=r"a\.yaml line 1"):
        read_blocks(text, Path("a.yaml"), unit_ms=unit_ms)
