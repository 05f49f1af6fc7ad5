"""Logs of Google's `benchmark_model` as people keep them: what ran, on which delegate, how its runs spread.

Read are the lines of figures, wherever they stand: behind the prefix of `adb logcat` (date, time, two ids,
level, tag) or of the tool's own levels, between shell prompts, and beside the tables of
`--enable_op_profiling`, which hold no figures of whole runs. What decides about the runtime is which delegate
replaced how many nodes: XNNPACK is applied by default, and then no "Explicitly applied" is printed.

Source of the format: benchmark_model.cc and benchmark_tflite_model.cc of google-ai-edge/LiteRT
(tflite/tools/benchmark), and subgraph.cc for "Replacing N out of M node(s)".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ....errors import DeviceError, TableError, UserError
from ...measuring.measurement import RunSummary, Timing
from ...measuring.samples import Samples

if TYPE_CHECKING:
    from ....devices.android.benchmark_model import Figures

_FIGURES = re.compile(r"(?:^|[\]:] +)((?:count=\d+ (?:first|curr)=|Inference timings in us:).*)$")
"""A line of figures behind whatever prefix."""
_PROFILED = "Timings (microseconds):"
"""Begins what the profiler of operations says of the same runs, with its own overhead."""
_STARTING = re.compile(r"(?:^|[\]:] +)STARTING!$")
_REPLACED = re.compile(r"Replacing (\d{1,9}) out of (\d{1,9}) node\(s\) with delegate \((\w+)\) node")
_APPLIED = re.compile(
    r"Explicitly applied (\w+) delegate, and the model graph will be (completely|partially) executed"
)
_NAMED = re.compile(
    r"Created TensorFlow Lite (?:delegate for )?(\w+)|\bApplied (\w+) delegate"
    r"|(?:^|[\]:] +)(\w+) delegate created"
)
"""A delegate that is spoken of; whether it took nodes another line would say."""
_NOT_EXECUTED = "delegate is explicitly applied, the model graph will not be executed by the delegate"
_XNNPACK_OFF = re.compile(r"Use xnnpack: \[(?:0|false)\]", re.IGNORECASE)
_THREADS = re.compile(r"(?:Num threads: \[|--?num_threads=)(-?\d{1,9})\b")
_MOST_THREADS = 1024
_QUOTED = 40
_LOWER_PRECISION = re.compile(
    r"(?:Allow lower precision in gpu|Allow fp16): \[(?:1|true)\]"
    r"|--(?:gpu_precision_loss_allowed|allow_fp16)=(?:1|true)\b",
    re.IGNORECASE,
)
"""Heeded by delegates that have kernels of their own for it, of which XNNPACK is none."""
_SUMMARY, _OLD_SUMMARY = "Inference timings in us:", "Average inference timings in us:"
_SIZE = r"(\d{1,15}(?:\.\d{1,15})?(?:e[+-]?\d{1,2})?)"
_MEMORY = re.compile(rf"emory footprint[^:]*\(MB\): init={_SIZE} overall={_SIZE}")

RUNTIMES = {"xnnpack": "litert", "gpu": "litert-gpu", "nnapi": "litert-nnapi", "hexagon": "litert-hexagon"}
"""Delegate -> the runtime of a setting; without a delegate it is BUILTIN."""
BUILTIN = "litert-builtin"


@dataclass(frozen=True)
class BenchmarkLog:
    """One run of the tool.

    `runtime`: None where lines are missing that would say it. `threads`: None where it does not say them or
    leaves them to the runtime. `precision`: fp16 where that was allowed to a delegate that heeds it, else
    None, since the file of the network decides. `facts`: what else it states, by names with their unit, with
    the share of the graph's nodes that the delegate runs as `delegated`.
    """

    runtime: str | None
    threads: int | None
    precision: str | None
    timing: Timing
    facts: dict[str, float]

    @property
    def delegated(self) -> float | None:
        return self.facts.get("delegated")


def is_log(text: str) -> bool:
    """Whether a text looks like a log of the tool, whole or not."""
    lines = map(str.strip, text.split("\n"))
    return any(_FIGURES.search(line) or _STARTING.search(line) for line in lines)


def read_log(text: str, path: Path) -> BenchmarkLog:
    """Raises TableError with the line for figures that are not whole or contradict each other."""
    from ....devices.android import benchmark_model

    lines = [line.strip() for line in text.split("\n")]
    figures = [
        (number, found[1])
        for number, line in enumerate(lines, 1)
        if _PROFILED not in line and (found := _FIGURES.search(line))
    ]
    if any(_OLD_SUMMARY in line for line in lines):
        raise TableError(f"{path} is of a benchmark_model of before 2020; run a newer one")
    ends = [number for number, line in figures if line.startswith(_SUMMARY)]
    if not ends:
        raise TableError(f"{path} has no line '{_SUMMARY} ...'; give the whole log of a run that ended")
    starts = [number for number, line in enumerate(lines, 1) if _STARTING.search(line)]
    for places in (ends, starts):
        if len(places) > 1:
            raise TableError(
                f"{path} holds {len(places)} runs (lines {places[0]} and {places[1]}); give a file for each"
            )
    try:
        report = benchmark_model.figures([line for _, line in figures])
    except DeviceError as error:
        # The error quotes the line that it is about, if it is about one.
        place = next((number for number, line in figures if line[:_QUOTED] in str(error)), figures[-1][0])
        raise TableError(f"{path}, line {place}: {error}") from None
    runtime, delegated = _runtime(lines, path)
    summary = None
    if report.std_ms is not None:
        # Logs of before 2023 say no median: their mean is the best guess of it.
        summary = RunSummary(report.median_ms or report.measured.ms, report.std_ms)
    warmup = () if report.warmup is None else (report.warmup.ms,)
    return BenchmarkLog(
        runtime=runtime,
        threads=_threads(lines, path),
        precision="fp16" if _in_fp16(lines, runtime) else None,
        timing=Timing(warmup, Samples((report.measured,)), None, summary),
        facts=_facts(lines, report) | ({} if delegated is None else {"delegated": delegated}),
    )


def check_log(
    log: BenchmarkLog, path: Path, runtime: str | None, threads: int | None, precision: str | None
) -> None:
    """Raises UserError where a log contradicts what was given beside it."""
    if None not in (runtime, log.runtime) and runtime != log.runtime:
        share = "" if log.delegated is None else f", which ran {log.delegated:.0%} of its nodes"
        ran = "without a delegate" if log.runtime == BUILTIN else f"with a delegate{share}"
        raise UserError(
            f"{path} was measured {ran}: its runtime is {log.runtime}, not {runtime}; "
            f"give --runtime {log.runtime}, or leave it out"
        )
    if threads is not None and log.threads is not None and threads != log.threads:
        raise UserError(
            f"{path} was measured with {log.threads} threads, not {threads}; "
            f"give --threads {log.threads}, or leave it out"
        )
    if None not in (precision, log.precision) and precision != log.precision:
        raise UserError(
            f"{path} allowed its delegate {log.precision}, so its precision is not {precision}; "
            f"give --precision {log.precision}"
        )


def _threads(lines: Sequence[str], path: Path) -> int | None:
    said = dict.fromkeys(int(found[1]) for line in lines if (found := _THREADS.search(line)))
    if len(said) > 1:
        raise TableError(
            f"{path} says {' and '.join(map(str, said))} threads; give the log of one run, as it was printed"
        )
    threads = next(iter(said), 0)
    if threads > _MOST_THREADS:
        raise TableError(f"{path} says {threads} threads, which no run has; give the log as it was printed")
    return threads if threads > 0 else None


def _in_fp16(lines: Sequence[str], runtime: str | None) -> bool:
    return runtime not in (None, BUILTIN, RUNTIMES["xnnpack"]) and any(map(_LOWER_PRECISION.search, lines))


def _runtime(lines: Sequence[str], path: Path) -> tuple[str | None, float | None]:
    """The runtime of the delegate that runs most of the graph, and its share of the nodes.

    XNNPACK is that only where no other delegate takes nodes: what another leaves over is XNNPACK's. Flex runs
    operations that the graph could not do without, beside whatever runs it.
    """
    taken: Counter[str] = Counter()
    nodes: Counter[str] = Counter()
    for line in lines:
        if found := _REPLACED.search(line):
            name = found[3].removeprefix("TfLite").partition("Delegate")[0].lower().strip("_")
            if not 0 <= int(found[1]) <= int(found[2]) or not int(found[2]):
                raise TableError(f"{path}: '{found[0]}' cannot be; give the log as it was printed")
            taken[name] += int(found[1])
            nodes[name] += int(found[2])
    others = [name for name, count in taken.most_common() if count and name not in ("xnnpack", "flex")]
    chosen = next((name for name in (*others, "xnnpack", "flex") if taken[name]), None)
    if chosen is not None:
        return _named(chosen), taken[chosen] / nodes[chosen]
    if taken or any(_NOT_EXECUTED in line for line in lines):
        return BUILTIN, None
    if applied := next((found for line in lines if (found := _APPLIED.search(line))), None):
        return _named(applied[1].lower()), 1.0 if applied[2] == "completely" else None
    if any(_XNNPACK_OFF.search(line) for line in lines):
        return BUILTIN, None
    spoken_of = [found for line in lines if (found := _NAMED.search(line))]
    named = {name.lower() for found in spoken_of for name in found.groups() if name}
    if named:
        # XNNPACK takes what it can without a word; of another one it is not known whether it took anything.
        return (RUNTIMES["xnnpack"], None) if named == {"xnnpack"} else (None, None)
    # A delegate says that it was created; a whole log without that ran without one.
    return (BUILTIN, None) if any(map(_STARTING.search, lines)) else (None, None)


def _named(delegate: str) -> str:
    return RUNTIMES.get(delegate, f"litert-{delegate}")


def _facts(lines: Sequence[str], report: Figures) -> dict[str, float]:
    """Load time, first run, warm-up and memory, as far as they are stated."""
    found = {"load_ms": report.load_ms, "first_inference_ms": report.first_ms}
    if report.warmup is not None:
        found["warmup_ms"] = report.warmup.ms
    if memory := next((match for line in lines if (match := _MEMORY.search(line))), None):
        found |= {"memory_after_load_mb": float(memory[1]), "memory_mb": float(memory[2])}
    return found
