"""Logs of benchmark_model as people keep them: figures, the delegate that ran, contradicted options."""

from pathlib import Path

import pytest
from places import DATA
from zenbench.bench.measuring.measurement import RunSummary
from zenbench.bench.tables.importing.benchmark_log import check_log, is_log, read_log
from zenbench.devices.base import Sample
from zenbench.errors import TableError, UserError

IMPORTS = DATA / "imports"
PATH = Path("a.log")
DEFAULT, SPREAD, PROFILED, LOGCAT = (
    (IMPORTS / f"{name}.log").read_text()
    for name in ("default_xnnpack", "spread_in_log", "with_op_profile", "logcat")
)
FP16_GPU = "INFO: Allow lower precision in gpu: [1]\n" + DEFAULT.replace(
    "TfLiteXNNPackDelegate", "TfLiteGpuDelegateV2"
)
XNNPACK = "Replacing 66 out of 66 node(s) with delegate (TfLiteXNNPackDelegate) node"


def replaced(name: str, nodes: int, of: int = 66) -> str:
    return f"Replacing {nodes} out of {of} node(s) with delegate ({name}) node"


def test_the_figures_are_those_of_the_log() -> None:
    log = read_log(SPREAD, PATH)
    assert log.timing.samples == (Sample(pytest.approx(63.7432), 1000),)
    assert log.timing.summary == RunSummary(median_ms=51.891, std_ms=60.716)
    assert log.timing.warmup_ms == pytest.approx((58.1474,))
    assert log.threads == 1
    stated = {"load_ms": 119.515, "first_inference_ms": 87.112, "memory_mb": 55.5, "warmup_ms": 58.1474}
    assert {name: log.facts[name] for name in stated} == pytest.approx(stated)


@pytest.mark.parametrize(
    ("text", "runtime"),
    [(DEFAULT, "litert"), (SPREAD, "litert"), (PROFILED, "litert-builtin"), (LOGCAT, "litert-builtin")],
)
def test_what_ran_decides_about_the_runtime(text: str, runtime: str) -> None:
    assert is_log(text)
    assert read_log(text, PATH).runtime == runtime


@pytest.mark.parametrize(
    ("lines", "runtime", "delegated"),
    [
        ([replaced("TfLiteXNNPackDelegate", 60)], "litert", 60 / 66),
        ([replaced("TfLiteXNNPackDelegate", 0)], "litert-builtin", None),
        (
            [replaced("TfLiteGpuDelegateV2", 60), replaced("TfLiteXNNPackDelegate", 6, 7)],
            "litert-gpu",
            60 / 66,
        ),
        ([replaced("TfLiteNnapiDelegate", 66)], "litert-nnapi", 1.0),
        ([replaced("TfLiteXNNPackDelegate", 40), replaced("TfLiteXNNPackDelegate", 20, 34)], "litert", 0.6),
    ],
)
def test_the_delegate_that_took_nodes_is_the_runtime(
    lines: list[str], runtime: str, delegated: float | None
) -> None:
    log = read_log(DEFAULT.replace(XNNPACK, "\nVERBOSE: ".join(lines)), PATH)
    assert (log.runtime, log.delegated) == (runtime, pytest.approx(delegated))


def without(text: str, *words: str) -> str:
    return "\n".join(line for line in text.splitlines() if not any(word in line for word in words))


@pytest.mark.parametrize(
    ("text", "runtime"),
    [
        (without(DEFAULT, "Replacing"), "litert"),
        (without(DEFAULT, "Replacing", "Created"), "litert-builtin"),
        (without(DEFAULT, "Replacing").replace("XNNPACK delegate for CPU", "delegate for GPU"), None),
        (without(DEFAULT, "Replacing").replace("XNNPACK delegate for CPU", "delegate for NNAPI"), None),
        (without(DEFAULT, "Replacing", "Created") + "\nApplied GPU delegate.", None),
        (without(DEFAULT, "Replacing", "Created", "STARTING"), None),
        (without(SPREAD, "Replacing", "Created", "XNNPACK delegate created"), "litert"),
        (
            SPREAD.replace("Explicitly applied XNNPACK", "Explicitly applied GPU").replace(XNNPACK, ""),
            "litert-gpu",
        ),
    ],
)
def test_other_lines_tell_where_nodes_are_not_counted(text: str, runtime: str | None) -> None:
    assert read_log(text, PATH).runtime == runtime


@pytest.mark.parametrize(
    "prefix",
    [
        "06-18 10:11:07.000  4320  4320 I tflite  : ",
        "2024-06-18 10:11:07.000  4320  4320 I native: ",
        "I/tflite  ( 4320): ",
        "2023-05-01 12:00:00.1: I tensorflow/lite/tools/benchmark/benchmark_model.cc:471] ",
        "  ",
    ],
)
def test_prefixes_prompts_and_line_ends_do_not_matter(prefix: str) -> None:
    lines = [f"{prefix}{line.removeprefix('INFO: ')}" for line in SPREAD.splitlines()]
    text = "\r\n".join(["phone:/data/local/tmp $ ./benchmark_model --graph=net.tflite", *lines, "phone:/ $ "])
    assert is_log(text)
    assert read_log(text, PATH) == read_log(SPREAD, PATH)


def test_tables_of_operations_are_no_runs() -> None:
    assert read_log(PROFILED, PATH).timing.samples == (Sample(pytest.approx(42.3948), 1000),)


def test_a_log_without_spread_says_so() -> None:
    text = SPREAD.replace("min=49088 max=686105 avg=63743.2 std=60716 p5=49620 median=51891 p95=68628", "")
    text = text.replace("count=1000 first=52162 curr=49785", "count=1 curr=63743").replace("63743.2", "63743")
    assert read_log(text, PATH).timing.summary is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (SPREAD[:1100], "a.log has no line 'Inference timings"),
        (SPREAD + SPREAD, r"a.log holds 2 runs \(lines 22 and 46\)"),
        (SPREAD[:700] + "\n" + SPREAD, r"a.log holds 2 runs \(lines 1 and \d+\)"),
        (SPREAD.replace("Inference timings", "Average inference timings"), "of before 2020"),
        (SPREAD.replace("max=686105", f"max={'9' * 400}"), "not whole"),
        (SPREAD.replace("median=51891", f"median={'9' * 5000}"), "not whole"),
        (SPREAD.replace("Init: 119515", "Init: 1.2.3"), "not whole"),
        (SPREAD.replace("count=1000 first", "count=1000 curr=x first"), "a.log, line 20: .* not whole"),
        (SPREAD.replace("Inference (avg): 63743.2", "Inference (avg): 51743.2"), "contradicts itself"),
        (SPREAD.replace("avg=63743.2", "avg=0"), "measured nothing"),
        (SPREAD.replace("count=1000", "count=9999999999"), "measured nothing"),
        (SPREAD.replace("std=60716", "std=1e300"), "spread lies outside its range"),
        (SPREAD.replace("median=51891", "median=9"), "spread lies outside its range"),
        (DEFAULT.replace("66 out of 66", "5 out of 0"), "'Replacing 5 out of 0 node.* cannot be"),
        (DEFAULT.replace("66 out of 66", "67 out of 66"), "'Replacing 67 out of 66 node.* cannot be"),
    ],
)
def test_figures_that_are_not_whole_are_refused(text: str, fault: str) -> None:
    with pytest.raises(TableError, match=fault):
        read_log(text, PATH)


@pytest.mark.parametrize(
    ("text", "runtime", "threads", "fault"),
    [
        (FP16_GPU, None, 1, "allowed its delegate fp16, so its precision is not fp32; give --precision fp16"),
        (DEFAULT, "litert-builtin", None, "ran 100% of its nodes: its runtime is litert, not litert-builtin"),
        (PROFILED, "litert", None, "without a delegate: its runtime is litert-builtin, not litert"),
        (DEFAULT, "litert", 4, "with 1 threads, not 4; give --threads 1"),
    ],
)
def test_what_contradicts_an_option_is_refused(
    text: str, runtime: str | None, threads: int | None, fault: str
) -> None:
    with pytest.raises(UserError, match=fault):
        check_log(read_log(text, PATH), PATH, runtime, threads, "fp32")


def test_xnnpack_keeps_its_precision_whatever_was_allowed() -> None:
    log = read_log(f"INFO: Allow fp16: [1]\n{DEFAULT}", PATH)
    check_log(log, PATH, "litert", 1, "fp32")
    assert log.precision is None


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("$ ./benchmark_model --graph=n.tflite --num_threads=4", "says 4 and 1 threads"),
        ("INFO: Num threads: [2]", "says 2 and 1 threads"),
    ],
)
def test_threads_that_contradict_each_other_are_refused(line: str, fault: str) -> None:
    with pytest.raises(TableError, match=fault):
        read_log(f"{line}\n{DEFAULT}", PATH)


def test_threads_of_the_runtimes_choice_are_not_known() -> None:
    assert read_log(DEFAULT.replace("Num threads: [1]", "Num threads: [-1]"), PATH).threads is None
    with pytest.raises(TableError, match="says 1000000 threads"):
        read_log(DEFAULT.replace("Num threads: [1]", "Num threads: [1000000]"), PATH)


def test_what_a_log_leaves_open_an_option_may_say() -> None:
    part = without(DEFAULT, "Replacing", "Created", "STARTING", "Num threads")
    check_log(read_log(part, PATH), PATH, "litert-builtin", 4, "fp16")


def test_sizes_that_are_no_numbers_are_not_kept() -> None:
    for size in ("-", "1.2.3", "nan", "9" * 400):
        log = read_log(DEFAULT.replace("init=55.5", f"init={size}"), PATH)
        assert "memory_mb" not in log.facts and log.facts["load_ms"] == 119.515


def test_flex_beside_xnnpack_is_no_delegate_of_its_own() -> None:
    flex = "VERBOSE: Replacing 2 out of 68 node(s) with delegate (TfLiteFlexDelegate) node, yielding 2 parts."
    log = read_log(f"{flex}\n{DEFAULT.replace('66 out of 66', '64 out of 68')}", PATH)
    assert log.runtime == "litert" and log.delegated == pytest.approx(64 / 68)


def test_equal_runs_lie_in_their_own_range() -> None:
    figures = "count=50 curr=42394(all same) p5=42394 median=42394 p95=42394"
    lines = [
        f"INFO: {figures}" if line.startswith("INFO: count=1000") else line for line in DEFAULT.split("\n")
    ]
    log = read_log("\n".join(lines).replace("Inference (avg): 42394.8", "Inference (avg): 42394"), PATH)
    assert log.timing.samples[0].ms == 42.394 and log.timing.samples[0].inner_runs == 50
