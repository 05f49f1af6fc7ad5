# ruff: noqa: E501 - lines are as the tool prints them
"""The runner's output: what Google's tool prints is read, anything else is an error with the line in it."""

import pytest
from zenbench.devices.android.benchmark_model import Delegate, arguments, read
from zenbench.devices.base import Sample
from zenbench.errors import DeviceError

NEWEST = """INFO: STARTING!
INFO: Log parameter values verbosely: [0]
INFO: Min num runs: [10]
INFO: Num threads: [1]
INFO: Graph: [0.tflite]
INFO: Signature to run: []
INFO: Use xnnpack: [1]
INFO: Loaded model 0.tflite
INFO: Initialized TensorFlow Lite runtime.
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
VERBOSE: Replacing 30 out of 31 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 3 partitions for subgraph 0.
INFO: XNNPACK delegate created.
INFO: Explicitly applied XNNPACK delegate, and the model graph will be completely executed by the delegate.
INFO: The input model file size (MB): 4.2761
INFO: Initialized session in 87.639ms.
INFO: Running benchmark for at least 1 iterations and at least 0.02 seconds but terminate if exceeding 30 seconds.
INFO: count=5 first=106436 curr=105929 min=105929 max=106436 avg=106065 std=193 p5=105929 median=105948 p95=106436

INFO: Running benchmark for at least 10 iterations and at least 0.01 seconds but terminate if exceeding 30 seconds.
INFO: count=50 first=106022 curr=105780 min=105416 max=106528 avg=105784 std=260 p5=105485 median=105718 p95=106281

INFO: Inference timings in us: Init: 87639, First inference: 106436, Warmup (avg): 106065, Inference (avg): 105784
INFO: Note: as the benchmark tool itself affects memory footprint, the following is only APPROXIMATE to the actual memory footprint of the model at runtime. Take the information at your discretion.
INFO: Memory footprint delta from the start of the tool (MB): init=14.4414 overall=14.8164
"""
OLD = (
    NEWEST.replace("INFO: ", "")
    .replace(" p5=105929 median=105948 p95=106436", "")
    .replace(" p5=105485 median=105718 p95=106281", "")
    .replace("Signature to run: []\n", "")
    .replace("Memory footprint delta from the start of the tool", "Peak memory footprint")
)
GPU = NEWEST.replace("Explicitly applied XNNPACK", "Explicitly applied GPU").replace("XNNPACK del", "GPU del")


@pytest.mark.parametrize("text", [NEWEST, OLD, NEWEST.replace("\n", "\r\n")], ids=["newest", "old", "crlf"])
def test_reads_what_the_tool_prints(text: str) -> None:
    report = read(text, 0, "xnnpack")
    assert (report.warmup, report.measured) == (Sample(106.065, 5), Sample(105.784, 50))


def test_reads_counts_of_one_and_of_equal_runs() -> None:
    warmup = "count=5 first=106436 curr=105929 min=105929 max=106436 avg=106065 std=193"
    measured = "count=50 first=106022 curr=105780 min=105416 max=106528 avg=105784 std=260"
    text = NEWEST.replace(warmup, "count=1 curr=9").replace(measured, "count=9 curr=12(all same)")
    report = read(
        text.replace("(avg): 106065", "(avg): 9").replace("(avg): 105784", "(avg): 12"), 0, "xnnpack"
    )
    assert (report.warmup, report.measured) == (Sample(0.009, 1), Sample(0.012, 9))


def test_reads_large_means_as_printed() -> None:
    text = NEWEST.replace("min=105416 max=106528 avg=105784", "min=1240000 max=1241000 avg=1.24027e+06")
    report = read(text.replace("(avg): 105784", "(avg): 1.24027e+06"), 0, "xnnpack")
    assert report.measured.ms == 1240.27


@pytest.mark.parametrize("cut", range(5, len(OLD.splitlines()) - 3))
def test_output_that_ends_early_is_an_error(cut: int) -> None:
    with pytest.raises(DeviceError, match="benchmark_model"):
        read("\n".join(OLD.splitlines()[:cut]), 0, "xnnpack")


@pytest.mark.parametrize("length", range(1, NEWEST.index("4\nINFO: Note"), 7))
def test_a_line_cut_short_is_an_error(length: int) -> None:
    with pytest.raises(DeviceError):
        read(NEWEST[:length], 0, "xnnpack")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("INFO: Loaded model 0.tflite", "Segmentation fault", "not known: 'Segmentation fault'"),
        ("INFO: Loaded model 0.tflite", "WARN: Unconsumed cmdline flags: --x=1", "not known: 'WARN: Uncons"),
        ("INFO: Loaded model 0.tflite", "ERROR: oh", "not known: 'ERROR: oh'"),
        ("INFO: Loaded model 0.tflite", "\x1b[31mhello", "not known: '.\\[31mhello'"),
        ("count=50", "count=0", "measured nothing"),
        ("avg=105784", "avg=105785e", "not known|no number"),
        ("avg=105784", "avg=1.2.3", "no number"),
        ("avg=105784", "avg=99999", "outside its range"),
        ("Inference (avg): 105784", "Inference (avg): 10578", "contradicts itself"),
        ("Warmup (avg): 106065", "Warmup (avg): 6065", "contradicts itself"),
        ("INFO: Inference timings", "INFO: Inference timing", "not known"),
        ("INFO: count=5 ", "INFO: count=five ", "not known"),
    ],
)
def test_lines_that_are_not_known_are_errors(old: str, new: str, reason: str) -> None:
    with pytest.raises(DeviceError, match=reason):
        read(NEWEST.replace(old, new), 0, "xnnpack")


def test_the_gpu_that_was_asked_for_must_have_done_the_work() -> None:
    assert read(GPU, 0, "gpu").measured.inner_runs == 50
    with pytest.raises(DeviceError, match="did not apply the GPU"):
        read(NEWEST, 0, "gpu")
    with pytest.raises(DeviceError, match="does not take all"):
        read(GPU.replace("completely executed by", "partially executed by"), 0, "gpu")


def test_xnnpack_may_take_a_part_but_must_be_there() -> None:
    said = next(line for line in NEWEST.splitlines() if "Explicitly" in line)
    for instead in (
        said.replace(
            "completely executed by the delegate.",
            "partially executed by the delegate w/ 2 delegate kernels.",
        ),
        "INFO: Though XNNPACK delegate is explicitly applied, the model graph will not be executed by the delegate.",
    ):
        assert read(NEWEST.replace(said, instead), 0, "xnnpack").measured.inner_runs == 50
    with pytest.raises(DeviceError, match="did not apply the XNNPACK"):
        read(NEWEST.replace(said + "\n", ""), 0, "xnnpack")


def test_the_other_tool_of_that_name_is_refused() -> None:
    with pytest.raises(DeviceError, match="newer tool of that name"):
        read("========== BENCHMARK RESULTS ==========\nInference (avg): 1.2 ms (10 runs)\n", 0, "none")


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        (
            "INFO: STARTING!\nERROR: Could not open 'x'.\nERROR: Benchmarking failed.",
            1,
            "status 1: .*Could not open",
        ),
        ("INFO: STARTING!", 139, "signal 11 .Segmentation fault.: INFO: STARTING!"),
        ("", 137, "signal 9 .Killed."),
        ("", 2, "status 2$"),
    ],
)
def test_failures_say_how_and_why(text: str, status: int, reason: str) -> None:
    with pytest.raises(DeviceError, match=reason):
        read(text, status, "xnnpack")


@pytest.mark.parametrize(
    ("delegate", "precision", "flags"),
    [
        ("xnnpack", "fp32", {"--use_xnnpack=true"}),
        ("none", "int8", {"--use_xnnpack=false"}),
        ("gpu", "fp32", {"--use_gpu=true", "--gpu_precision_loss_allowed=false"}),
    ],
)
def test_flags(delegate: Delegate, precision: str, flags: set[str]) -> None:
    found = arguments("a b.tflite", 4, delegate, precision, 10, 12.5)
    assert flags | {"--graph=a b.tflite", "--num_threads=4", "--num_runs=10", "--min_secs=0.0125"} <= set(
        found
    )
    assert "--gpu_precision_loss_allowed=false" not in arguments("a", 1, "gpu", "fp16", 1, 0)
