"""Google's `benchmark_model`: the flags it is run with, and its output read strictly.

It times whole runs by the phone's own clock in whole microseconds and prints, for warm-up and measured
runs apart, their count and mean, never single runs. Source of the format: benchmark_model.cc and
benchmark_tflite_model.cc of google-ai-edge/LiteRT (tflite/tools/benchmark); logs of 2020 to 2025, with and
without a prefix on each line, with and without percentiles.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ...errors import DeviceError
from ..base import Sample

Delegate = Literal["xnnpack", "none", "gpu"]
WARMUP_S = 0.02
MOST_S = 30.0
"""When a run of runs is broken off; it is the runner's own bound, so a slow network has fewer runs."""

_WHOLE = r"\d{1,15}"
_COUNT = re.compile(
    rf"count=(?P<count>{_WHOLE}) (?:first={_WHOLE} )?curr=(?P<newest>{_WHOLE})(?P<same>\(all same\))?"
    rf"(?: min=(?P<min>{_WHOLE}) max=(?P<max>{_WHOLE}) avg=(?P<avg>[\d.e+]+) std=(?P<std>[\d.e+]+))?"
    rf"(?: p5={_WHOLE} median=(?P<median>{_WHOLE}) p95={_WHOLE})?"
)
_SUMMARY = re.compile(
    rf"Inference timings in us: Init: ({_WHOLE}), First inference: ({_WHOLE}), "
    r"Warmup \(avg\): ([\d.e+]+|-?nan), Inference \(avg\): ([\d.e+]+)"
)
_PHASE = re.compile(
    r"Running benchmark for at least \d+ iterations? and at least [\d.e+-]+ seconds? "
    r"but terminate if exceeding [\d.e+-]+ seconds?\."
)
_APPLIED = re.compile(
    r"Explicitly applied (?P<to>XNNPACK|GPU) delegate, and the model graph will be "
    r"(?P<share>completely|partially) executed by the delegate(?: w/ \d+ delegate kernels)?\."
    r"|Though (?P<none>XNNPACK|GPU) delegate is explicitly applied, the model graph will not be executed "
    r"by the delegate\."
)
_TALK = re.compile(
    r"STARTING!"
    r"|[^\[\]]+: \[[^\[\]]*\]"  # a parameter
    r"|(Initialized|Created|Loaded|Replacing|Registered|Applying|Opened|Serialization|Restored|Saved) .+"
    r"|(XNNPACK|GPU) delegate created\."
    r"|The input model file size \(MB\): [\d.e+-]+"
    r"|Initialized session in [\d.e+-]+ms\."
    r"|Note: as the benchmark tool itself affects memory footprint, .+"
    r"|(Peak memory footprint|Memory footprint delta from the start of the tool) \(MB\): .+"
)
_PREFIX = re.compile(r"(INFO|VERBOSE|WARNING): ")
_OTHER_TOOL = "BENCHMARK RESULTS"
_MOST_RUNS = 10**9
_STEP_MS = 1e-3
_CLOSE = 2e-5
"""Relative difference of two printings of one mean: six digits are printed."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one call of the runner measured: means of the warm-up and of the measured runs."""

    warmup: Sample
    measured: Sample


@dataclass(frozen=True, slots=True)
class Figures:
    """What a log of anyone's call says of the runs: `std_ms` None where it does not say, as of one run; of a
    call without warm-up `warmup` is None."""

    load_ms: float
    first_ms: float
    warmup: Sample | None
    measured: Sample
    median_ms: float | None
    std_ms: float | None


def arguments(
    graph: str, threads: int, delegate: Delegate, precision: str, runs: int, least_ms: float
) -> list[str]:
    """Its flags for at least `runs` runs that together take at least `least_ms`."""
    return [
        f"--graph={graph}",
        f"--num_threads={threads}",
        f"--num_runs={runs}",
        f"--min_secs={least_ms / 1000:g}",
        f"--max_secs={MOST_S:g}",
        "--warmup_runs=1",
        f"--warmup_min_secs={WARMUP_S:g}",
        f"--use_xnnpack={str(delegate == 'xnnpack').lower()}",
        *(["--use_gpu=true", *_gpu(precision)] if delegate == "gpu" else []),
    ]


def _gpu(precision: str) -> list[str]:
    # Left to itself the GPU delegate computes an fp32 file in fp16.
    return ["--gpu_precision_loss_allowed=false"] if precision == "fp32" else []


def read(text: str, status: int, delegate: Delegate) -> Report:
    """What the runner printed and exited with; raises DeviceError with the line at fault."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if any(_OTHER_TOOL in line for line in lines):
        raise DeviceError(
            "this benchmark_model is LiteRT's newer tool of that name, whose clock is too coarse; "
            "take the TFLite one (android_aarch64_benchmark_model)"
        )
    if status != 0:
        raise DeviceError(_failure(lines, status))
    return _report(list(_statements(lines)), delegate)


def _statements(lines: Sequence[str]) -> Iterator[str]:
    """The tool's statements without prefix and talk; raises DeviceError at a line that is neither."""
    for line in lines:
        said = _PREFIX.sub("", line, count=1)
        if any(form.fullmatch(said) for form in (_COUNT, _SUMMARY, _PHASE, _APPLIED)):
            yield said
        elif not _TALK.fullmatch(said):
            raise DeviceError(f"benchmark_model printed a line that is not known: '{_shown(line)}'")


def _report(statements: Sequence[str], delegate: Delegate) -> Report:
    rest = [said for said in statements if not _APPLIED.fullmatch(said)]
    if not rest:
        raise DeviceError("benchmark_model printed no figures")
    applied = [match for said in statements if (match := _APPLIED.fullmatch(said))]
    if delegate != "none" and not any((one["to"] or one["none"]).lower() == delegate for one in applied):
        raise DeviceError(f"benchmark_model did not apply the {delegate.upper()} delegate that was asked for")
    # What XNNPACK does not take runs on the same cores; what a GPU does not take is measured elsewhere.
    if delegate == "gpu" and any(one["share"] != "completely" for one in applied):
        raise DeviceError("the GPU delegate does not take all of this graph; the rest would run on the CPU")
    forms = (_PHASE, _COUNT, _PHASE, _COUNT, _SUMMARY)
    matches = [match for form, said in zip(forms, rest, strict=False) if (match := form.fullmatch(said))]
    if len(rest) != len(forms) or len(matches) != len(forms):
        raise DeviceError(f"benchmark_model's figures are not whole; the last: '{_shown(rest[-1])}'")
    _, warmup, _, measured, summary = matches
    report = Report(_sample(warmup), _sample(measured))
    for sample, printed in ((report.warmup, summary[3]), (report.measured, summary[4])):
        if abs(sample.ms * 1e3 - _number(printed, summary)) > _CLOSE * sample.ms * 1e3:
            raise DeviceError(f"benchmark_model contradicts itself: '{_shown(summary[0])}'")
    return report


def figures(lines: Sequence[str]) -> Figures:
    """The runs behind the lines of counts and the summary; raises DeviceError for what is not whole."""
    *counts, last = lines
    matches = [_COUNT.fullmatch(line) for line in counts]
    summary = _SUMMARY.fullmatch(last)
    if summary is None or not 1 <= len(counts) <= 2 or not all(matches):
        wrong = next((line for line, match in zip(counts, matches, strict=True) if match is None), last)
        raise DeviceError(f"benchmark_model's figures are not whole: '{_shown(wrong)}'")
    found = [match for match in matches if match]
    samples = [_sample(match) for match in found]
    for sample, printed in zip(samples[::-1], (summary[4], summary[3]), strict=False):
        if abs(sample.ms * 1e3 - _number(printed, summary)) > _CLOSE * sample.ms * 1e3:
            raise DeviceError(f"benchmark_model contradicts itself: '{_shown(summary[0])}'")
    last_count = found[-1]
    median = int(last_count["median"]) / 1e3 if last_count["median"] else None
    std = _number(last_count["std"], last_count) / 1e3 if last_count["std"] else None
    # Equal runs print no range: all are what the last one was.
    least, most = (int(last_count[name] or last_count["newest"]) / 1e3 for name in ("min", "max"))
    if (median is not None and not least <= median <= most) or (
        std is not None and std > most - least + _STEP_MS
    ):
        raise DeviceError(f"benchmark_model's spread lies outside its range: '{_shown(last_count[0])}'")
    return Figures(
        load_ms=int(summary[1]) / 1e3,
        first_ms=int(summary[2]) / 1e3,
        warmup=samples[0] if len(samples) > 1 else None,
        measured=samples[-1],
        median_ms=median,
        std_ms=std,
    )


def _sample(match: re.Match[str]) -> Sample:
    count = int(match["count"])
    mean = match["avg"]
    if mean is None and (match["min"] is not None or not (match["same"] or count == 1)):
        raise DeviceError(f"benchmark_model's figures are not whole: '{_shown(match[0])}'")
    value = (
        _number(mean, match) if mean else float(match[0].partition("curr=")[2].partition("(")[0].split()[0])
    )
    if not 1 <= count <= _MOST_RUNS or value <= 0:
        raise DeviceError(f"benchmark_model measured nothing: '{_shown(match[0])}'")
    if mean and not int(match["min"]) * (1 - _CLOSE) <= value <= int(match["max"]) * (1 + _CLOSE):
        raise DeviceError(f"benchmark_model's mean lies outside its range: '{_shown(match[0])}'")
    return Sample(value / 1e3, count)


def _number(text: str, match: re.Match[str]) -> float:
    try:
        return float(text)
    except ValueError:
        raise DeviceError(f"benchmark_model printed no number: '{_shown(match[0])}'") from None


def _failure(lines: Sequence[str], status: int) -> str:
    errors = [line for line in lines if line.startswith(("ERROR: ", "FATAL: "))]
    # The last line only says that benchmarking failed; the first says why.
    said = f": {_shown(errors[0])}" if errors else f": {_shown(lines[-1])}" if lines else ""
    if status > 128:
        try:
            name = signal.strsignal(status - 128)
        except ValueError:
            name = None
        return f"benchmark_model was ended by signal {status - 128} ({name or 'unknown'}){said}"
    return f"benchmark_model failed with status {status}{said}"


def _shown(line: str) -> str:
    printable = "".join(character if character.isprintable() else "?" for character in line)
    return printable if len(printable) <= 200 else printable[:200] + " ..."
