"""trtexec's printed performance summary: GPU compute time, its spread, the copies, contradicted options."""

from pathlib import Path

import pytest
from places import DATA
from zenbench.bench.measuring.measurement import RunSummary
from zenbench.bench.tables.importing.formats import format_of
from zenbench.bench.tables.importing.trtexec_summary import read_summary
from zenbench.devices.base import Sample
from zenbench.errors import TableError, UserError

PATH = Path("a.log")
NEW = (DATA / "imports/trtexec_stdout.log").read_text()
# As TensorRT 7 prints it, with other figures.
OLD = """[I] Host Latency
[I] min: 1.90 ms (end to end 3.1 ms)
[I] max: 2.50 ms (end to end 4.0 ms)
[I] mean: 2.00 ms (end to end 3.6 ms)
[I] median: 1.99 ms (end to end 3.6 ms)
[I] percentile: 2.20 ms at 99% (end to end 3.9 ms at 99%)
[I] throughput: 500 qps
[I] GPU Compute
[I] min: 1.80 ms
[I] max: 2.40 ms
[I] mean: 1.91 ms
[I] median: 1.90 ms
[I] percentile: 2.10 ms at 99%
[I] total compute time: 2.865 s
"""


def test_the_figures_are_those_of_the_summary() -> None:
    found = read_summary(NEW, PATH, "fp16", 1)
    assert found.timing.samples == (Sample(4.24378, 705),)  # 2.99186 s in all
    assert found.copies_ms == (0.0513916, 0.0041)
    assert found.timing.summary == RunSummary(4.24156, pytest.approx((4.25122 - 4.24156) / 1.2816, rel=1e-3))


def test_the_older_form_is_read() -> None:
    found = read_summary(OLD, PATH, "fp16", 1)
    assert found.timing.samples == (Sample(1.91, 1500),) and found.copies_ms == (None, None)
    assert found.timing.summary == RunSummary(1.90, pytest.approx((2.10 - 1.90) / 2.3263, rel=1e-3))


@pytest.mark.parametrize("text", [NEW, OLD, NEW.partition("\n")[2], NEW.replace("\n", "\r\n")])
def test_a_summary_is_recognised_with_and_without_its_command(text: str) -> None:
    assert format_of(text, PATH) == "trtexec-summary"
    assert read_summary(text, PATH, "fp16", 1).timing.runs > 1


@pytest.mark.parametrize(
    ("text", "error", "fault"),
    [
        (NEW.replace("--fp16", "--int8"), UserError, "--precision is int8, not fp16"),
        (NEW.replace("--fp16", "--fp16 --shapes=input:8x3x224x224"), UserError, "batch 8, not 1"),
        (
            NEW.replace("--fp16", "--fp16 --optShapes=a:1x3x224x224 --shapes=a:0:8x3x224x224"),
            UserError,
            "batch 8, not 1; give --batch 8",
        ),
        (NEW.replace("Total GPU Compute Time", "Total Something"), TableError, "no total GPU compute time"),
        (NEW.replace("--fp16", "--batch=4"), UserError, "batch 4, not 1; give --batch 4"),
        (NEW.replace("--fp16", "--fp16 --infStreams=2"), UserError, "several streams"),
        (NEW.replace("&&&& PASSED", "&&&& FAILED"), TableError, "failed"),
        (NEW + NEW, TableError, "several runs"),
        (NEW.replace("Time: 2.99186 s", "Time: 2.9.9 s"), TableError, "2.9.9 s' cannot be the total"),
        (NEW.replace("Time: 2.99186 s", "Time: 0 s"), TableError, "0 s' cannot be the total"),
        (NEW.replace("mean = 4.24378", "mean = 4.2.4"), TableError, "no mean and median"),
        (NEW.replace("mean = 4.24378", "mean = 1e400"), TableError, "no mean and median"),
        (
            NEW.replace("GPU Compute Time: min = 4.22144 ms", "GPU Compute Time: min = 4.9 ms"),
            TableError,
            "range",
        ),
        (NEW.replace("median = 4.24156 ms", ""), TableError, "no mean and median"),
        (NEW.replace("median = 4.24156 ms", "median = 99 ms"), TableError, "the median .* outside its range"),
        (
            NEW.replace("percentile(90%) = 4.25122", "percentile(90%) = 1"),
            TableError,
            "90% percentile .* cannot be",
        ),
        (
            NEW.replace("Time: 2.99186 s", "Time: 1e99 s"),
            TableError,
            "1e99 s' cannot be the total",
        ),
    ],
)
def test_what_does_not_hold_is_refused(text: str, error: type[Exception], fault: str) -> None:
    with pytest.raises(error, match=fault):
        read_summary(text, PATH, "fp16", 1)


@pytest.mark.parametrize(
    "options", ["", "--int8 --fp16", "--best", "--loadEngine=x.plan", "--fp16 --infStreams=1"]
)
def test_options_that_leave_it_open_are_accepted(options: str) -> None:
    assert read_summary(NEW.replace("--fp16", options), PATH, "fp16", 1)


def test_copies_that_are_no_numbers_are_not_told() -> None:
    text = NEW.replace("median = 0.0513916", "median = 9e400")
    assert read_summary(text, PATH, "fp16", 1).copies_ms == (None, 0.0041)


def test_an_engine_for_several_batches_ran_at_its_shapes() -> None:
    options = "--fp16 --minShapes=a:1x3x8x8 --optShapes=a:8x3x8x8 --maxShapes=a:32x3x8x8 --shapes=a:1x3x8x8"
    assert read_summary(NEW.replace("--fp16", options), PATH, "fp16", 1)


def test_the_best_of_all_precisions_is_not_fp32() -> None:
    with pytest.raises(UserError, match="ran with --best, which computes in fp16 and int8 too"):
        read_summary(NEW.replace("--fp16", "--best"), PATH, "fp32", 1)


def test_what_a_figure_means_is_no_summary() -> None:
    said = (
        "[V] GPU Compute Time: the GPU latency to execute the kernels for a query.\n[V] Latency: the sum of"
    )
    assert read_summary(NEW + said, PATH, "fp16", 1) == read_summary(NEW, PATH, "fp16", 1)


def test_more_gpu_time_than_time_is_of_several_streams() -> None:
    text = NEW.partition("\n")[2].replace("Compute Time: 2.99186 s", "Compute Time: 7.02881 s")
    with pytest.raises(UserError, match=r"computed 7\.02881 s in 3\.01037 s; .* with one stream"):
        read_summary(text, PATH, "fp16", 1)


def test_a_mean_far_from_the_median_is_no_quiet_run() -> None:
    text = NEW.replace("max = 5.76514", "max = 55.76514").replace("mean = 4.24378", "mean = 5.24378")
    summary = read_summary(text, PATH, "fp16", 1).timing.summary
    assert summary == RunSummary(4.24156, pytest.approx(5.24378 - 4.24156))


@pytest.mark.parametrize(("share", "known"), [("99.9", True), ("50", False), ("100", False)])
def test_a_percentile_of_ones_own_is_read(share: str, known: bool) -> None:
    before, rest = NEW.split("GPU Compute Time: ", 1)
    line, after = rest.split("\n", 1)
    line = f"{line.split(', percentile')[0]}, percentile({share}%) = 4.28 ms"
    found = read_summary(f"{before}GPU Compute Time: {line}\n{after}", PATH, "fp16", 1)
    assert found.is_spread_known == known and found.timing.summary is not None
    assert found.timing.summary.median_ms == 4.24156


def test_another_precision_is_named() -> None:
    with pytest.raises(UserError, match="ran with --fp8; tables are of fp32, fp16 and int8"):
        read_summary(NEW.replace("--fp16", "--fp8"), PATH, "fp16", 1)
