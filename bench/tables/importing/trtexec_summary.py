"""The performance summary that trtexec prints, which is what people keep where no times were exported.

Of it we take the GPU compute time: mean, median, and a standard deviation from the first percentile that is
printed, as of a normal distribution, but no less than mean and median differ by, as of any. The number of
runs is the total GPU compute time over the mean.

Source of the format: samples/common/sampleReporting.cpp of NVIDIA/TensorRT. Since 8 it is one line, `GPU
Compute Time: min = ...`; in 7 it is `GPU Compute` with a line for each figure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

from ....devices.base import Sample
from ....errors import TableError, UserError
from ...measuring.measurement import RunSummary, Timing
from ...measuring.samples import Samples

_PREFIX = re.compile(r"^(?:\[[\d/:-]+\] )?(?:\[[A-Z]\] )?")
_NUMBER = r"(\d{1,15}(?:\.\d{1,15})?(?:e[+-]?\d{1,2})?)"
_FIGURE = re.compile(rf"\b(min|max|mean|median)(?: =|:) {_NUMBER} ms")
_SHARE = r"(\d{1,3}(?:\.\d{1,6})?)%"
_PERCENTILE = re.compile(rf"\bpercentile(?:\({_SHARE}\) =|:) {_NUMBER} ms(?: at {_SHARE})?")
_SECTION = re.compile(
    r"^(GPU Compute(?: Time)?|H2D Latency|D2H Latency|Host Latency|Latency|Enqueue Time|End-to-End)"
    r"(?= *:? *$|: *min\b|.* Latency\b)"
)
"""Followed by its figures: --verbose also prints what each of them means."""
_TOTAL_NAME = re.compile(r"Total (?:GPU )?Compute Time:", re.IGNORECASE)
_TOTAL = re.compile(rf"{_TOTAL_NAME.pattern} {_NUMBER} s$", re.IGNORECASE)
_WALL = re.compile(rf"Total Host Walltime: {_NUMBER} s$", re.IGNORECASE)
_MORE_THAN_ONE = 1.1
"""A GPU that computed this many times as long as its host waited had several streams."""
_COMMAND = re.compile(r"&&&& (RUNNING|PASSED|FAILED) TensorRT\.trtexec.*?# (.*)$", re.MULTILINE)
_SHAPES = {name: re.compile(rf"--{name}=\S*?:(\d{{1,9}})x\d") for name in ("shapes", "optShapes")}
"""The first input's batch; a name may hold colons. An engine runs at `shapes` where they are given."""
_MOST_RUNS = 10**9


@dataclass(frozen=True)
class TrtexecSummary:
    """GPU compute time of all runs; `copies_ms`: medians to the GPU and from it, None where not printed.

    Where no percentile tells the spread, it is what mean and median differ by, the least that it can be.
    """

    timing: Timing
    copies_ms: tuple[float | None, float | None]
    is_spread_known: bool


def is_summary(text: str) -> bool:
    """Whether a text holds the figures of a run."""
    return re.search(r"\bGPU Compute(?: Time)?\b", text) is not None and "ms" in text


def read_summary(text: str, path: Path, precision: str, batch: int) -> TrtexecSummary:
    """Raises TableError for a run that failed or figures that are missing, UserError for a log that
    contradicts the precision or batch given beside it."""
    lines = [_PREFIX.sub("", line.strip(), count=1) for line in text.split("\n")]
    commands = _COMMAND.findall(text)
    if any(state == "FAILED" for state, _ in commands):
        raise TableError(f"{path} is of a run of trtexec that failed; give one that ends with PASSED")
    if sum(line.startswith("GPU Compute") and _SECTION.match(line) is not None for line in lines) > 1:
        raise TableError(f"{path} holds the summaries of several runs; give a file for each")
    _check_options(commands[0][1] if commands else "", path, precision, batch)
    sections = _sections(lines)
    compute = sections.get("GPU Compute Time") or sections.get("GPU Compute")
    if not compute or not {"mean", "median"} <= set(compute.figures):
        raise TableError(f"{path} has no mean and median of the GPU compute time; give the whole summary")
    mean_ms, median_ms = compute.figures["mean"], compute.figures["median"]
    least, most = (compute.figures.get(name, mean_ms) for name in ("min", "max"))
    for name, ms in (("mean", mean_ms), ("median", median_ms)):
        if not 0 < least <= ms <= most:
            raise TableError(f"{path}: the {name} of the GPU compute time, {ms:g} ms, lies outside its range")
    said = next((line for line in lines if _TOTAL_NAME.match(line)), None)
    if said is None:
        raise TableError(
            f"{path} has no total GPU compute time, which tells the runs; give the whole summary"
        )
    total = _TOTAL.match(said)
    runs = round(float(total[1]) * 1e3 / mean_ms) if total else 0
    if not 1 <= runs <= _MOST_RUNS:
        raise TableError(f"{path}: '{said[:80]}' cannot be the total of runs of {mean_ms:g} ms")
    wall = next((float(match[1]) for line in lines if (match := _WALL.match(line))), None)
    if total and wall is not None and float(total[1]) > _MORE_THAN_ONE * wall:
        raise UserError(f"{path}: its GPU computed {total[1]} s in {wall:g} s; {_SEVERAL}")
    std_ms = abs(mean_ms - median_ms)
    if compute.percentile is not None:
        share, value = compute.percentile
        if not median_ms <= value <= most:
            raise TableError(
                f"{path}: the {share:.0%} percentile of the GPU compute time, {value:g} ms, cannot be"
            )
        std_ms = max(std_ms, (value - median_ms) / NormalDist().inv_cdf(share))
    copies = [sections[name].figures.get("median") if name in sections else None for name in _COPIES]
    timing = Timing((), Samples((Sample(mean_ms, runs),)), None, RunSummary(median_ms, std_ms))
    return TrtexecSummary(timing, (copies[0], copies[1]), compute.percentile is not None)


_COPIES = ("H2D Latency", "D2H Latency")


@dataclass(frozen=True)
class _Section:
    figures: dict[str, float]
    percentile: tuple[float, float] | None
    """Share and ms of the first one printed."""


def _sections(lines: Sequence[str]) -> dict[str, _Section]:
    """Figures by the heading that they stand behind or below."""
    texts: dict[str, list[str]] = {}
    name = None
    for line in lines:
        if heading := _SECTION.match(line):
            name = heading[1]
        elif not (_FIGURE.match(line) or _PERCENTILE.match(line)):
            name = None
        if name is not None:
            texts.setdefault(name, []).append(line)
    return {name: _section(" ".join(found)) for name, found in texts.items()}


def _section(text: str) -> _Section:
    figures = {match[1]: float(match[2]) for match in _FIGURE.finditer(text)}
    percentile = _PERCENTILE.search(text)
    if percentile is None:
        return _Section(figures, None)
    share = float(percentile[1] or percentile[3] or 0) / 100
    return _Section(figures, (share, float(percentile[2])) if 0.5 < share < 1 else None)


def _check_options(command: str, path: Path, precision: str, batch: int) -> None:
    """What trtexec was told; an engine or a file may bring another precision without an option."""
    words = command.split()
    if other := next((word for word in words if word in _OTHER_PRECISIONS), None):
        raise UserError(f"{path} ran with {other}; tables are of fp32, fp16 and int8")
    asked = [name for name in ("fp16", "int8") if f"--{name}" in words]
    if "--best" in words and precision == "fp32":
        raise UserError(
            f"{path} ran with --best, which computes in fp16 and int8 too; give --precision int8 or fp16"
        )
    if asked and "--best" not in words and precision not in asked:
        raise UserError(f"{path} ran with --{asked[0]}, so its --precision is {asked[-1]}, not {precision}")
    given = [int(match[1]) for match in re.finditer(r"--batch=(\d{1,9})\b", command)]
    given += [int(match[1]) for shapes in _SHAPES.values() if (match := shapes.search(command))]
    if given and given[0] != batch:
        raise UserError(f"{path} ran with batch {given[0]}, not {batch}; give --batch {given[0]}")
    if re.search(r"--(?:infStreams|streams)=(?!1\b)\d+", command):
        raise UserError(f"{path} ran several streams at once; {_SEVERAL}")


_SEVERAL = "a latency is measured with one stream: leave --infStreams out"
_OTHER_PRECISIONS = ("--fp8", "--bf16", "--int4", "--fp4")
