"""What `zenbench tables import` makes of times of whole runs: traces, summaries and logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ....devices.base import Setting
from ....errors import UserError
from ....latency_tables.row import Row
from ....latency_tables.table import LatencyTable
from ....quantities import format_ms
from ....zen.network import Network
from ....zen.workload import Workload
from ...tables.importing.benchmark_log import BenchmarkLog, check_log, read_log
from ...tables.importing.importing import (
    ImportedFile,
    check_named,
    check_new,
    import_timings,
    timings_of_trace,
)
from ...tables.importing.trtexec import WARMUP_MS, Trace, read_times
from ...tables.importing.trtexec_summary import read_summary
from ..shared.output import Column, answer, label, say

PINNING = "unknown"


ROWS = (
    Column("label", "subject", right=False),
    Column("latency_ms", "latency", format_ms),
    Column("spread", "spread", lambda v: f"{v:.1%}"),
    Column("rounds", "rounds"),
    Column("runs", "runs"),
    Column("verdict", "verdict", right=False),
)


def asked_setting(options: Mapping[str, Any]) -> Setting:
    missing = [f"--{name}" for name in ("device", "runtime", "precision", "batch") if options[name] is None]
    if missing:
        raise UserError(f"the files do not say their whole setting; give {', '.join(missing)}")
    setting = Setting(
        options["device"],
        options["runtime"],
        options["precision"],
        options["batch"],
        options["threads"] or 1,
        PINNING,
    )
    check_named(setting)
    return setting


def _of_tensorrt(options: Mapping[str, Any]) -> Setting:
    setting = asked_setting(options)
    if setting.runtime != "tensorrt":
        raise UserError(f"trtexec times tensorrt, not {setting.runtime}; give --runtime tensorrt")
    return setting


def asked_out(options: dict[str, Any]) -> Path:
    out: Path | None = options["out"]
    if out is None:
        raise UserError("name the table to write with --out TABLE.csv")
    check_new(out)
    return out


def import_traces(
    given: Sequence[ImportedFile], texts: dict[Path, str], options: dict[str, Any], style: str
) -> None:
    setting, out = _of_tensorrt(options), asked_out(options)
    warmup_ms = WARMUP_MS if options["warmup"] is None else options["warmup"]
    files = []
    for one in given:
        trace = read_times(texts[one.path], one.path, warmup_ms)
        files.append((one, timings_of_trace(trace)))
        say(_about(one.path, trace))
    table = import_timings(files, setting, out)
    if any(row.rounds == 1 for row in (*table.rows.values(), *table.networks.values())):
        say("one round says nothing of the spread between rounds, which stands as 0; import several files")
    show_rows(table, out, style)


def import_summaries(
    given: Sequence[ImportedFile], texts: dict[Path, str], options: dict[str, Any], style: str
) -> None:
    setting, out = _of_tensorrt(options), asked_out(options)
    files = []
    for one in given:
        summary = read_summary(texts[one.path], one.path, setting.precision, setting.batch)
        files.append((one, [summary.timing]))
        (sample,) = summary.timing.samples
        say(
            f"{one.path}: mean GPU compute time {format_ms(sample.ms)} of {sample.inner_runs} runs"
            f"{_copies(summary.copies_ms)}"
        )
        if not summary.is_spread_known:
            say(f"{one.path} has no percentile that tells the spread of its runs; what stands is the least")
    show_rows(import_timings(files, setting, out), out, style)


def import_logs(
    given: Sequence[ImportedFile], texts: dict[Path, str], options: dict[str, Any], style: str
) -> None:
    """Logs of benchmark_model, which say their runtime and threads themselves."""
    logs = [(one, read_log(texts[one.path], one.path)) for one in given]
    (first, log), *_ = logs
    for one, other in logs:
        check_log(other, one.path, options["runtime"], options["threads"], options["precision"])
        if (other.runtime, other.threads) != (log.runtime, log.threads):
            raise UserError(
                f"{first.path} was measured by {_ran(log)}, {one.path} by {_ran(other)}; "
                "import one setting at a time"
            )
    said = {"runtime": options["runtime"] or log.runtime, "threads": options["threads"] or log.threads}
    setting, out = asked_setting({**options, **said}), asked_out(options)
    facts = {one.path.name: other.facts for one, other in logs}
    table = import_timings([(one, [other.timing]) for one, other in logs], setting, out, facts)
    for one, other in logs:
        say(f"{one.path}: {_stated(other)}")
        if other.threads is None and options["threads"] is None:
            say(f"{one.path} does not say how many threads ran; it stands as 1 (--threads)")
        if other.timing.summary is None:
            say(f"{one.path} says nothing of the spread of its runs, which stands as 0")
    show_rows(table, out, style)


def _ran(log: BenchmarkLog) -> str:
    return f"{log.runtime or 'an unknown runtime'} with {log.threads or 'an unknown number of'} threads"


def _stated(log: BenchmarkLog) -> str:
    nodes = "" if log.delegated is None else f", {log.delegated:.0%} of the nodes delegated"
    times = {"load_ms": "loaded in", "first_inference_ms": "first run", "warmup_ms": "warm-up"}
    told = [f"{text} {format_ms(log.facts[name])}" for name, text in times.items() if name in log.facts]
    memory = log.facts.get("memory_mb")
    told += [] if memory is None else [f"memory {memory:g} MB"]
    return f"runtime {log.runtime or 'not stated'}{nodes}; {', '.join(told)}"


def _about(path: Path, trace: Trace) -> str:
    warmup = f", {len(trace.warmup_ms)} of the warm-up apart" if trace.warmup_ms else ""
    return f"{path}: GPU compute time of {len(trace.runs_ms)} runs{warmup}{_copies(trace.copies_ms)}"


def _copies(copies_ms: tuple[float | None, float | None]) -> str:
    told = [
        f"{format_ms(ms)} {way}"
        for ms, way in zip(copies_ms, ("to the GPU", "from it"), strict=True)
        if ms is not None
    ]
    return f"; copies, apart: {', '.join(told)}" if told else ""


def show_rows(table: LatencyTable, out: Path, style: str) -> None:
    items: list[tuple[Network | Workload, Row]] = [*table.networks.items(), *table.rows.items()]
    answer(
        [
            {
                "label": label(item) if isinstance(item, Network) else item.label,
                "subject": str(item),
                "latency_ms": row.latency_ms,
                "spread": row.spread,
                "rounds": row.rounds,
                "runs": row.runs,
                "verdict": row.verdict,
            }
            for item, row in items
        ],
        ROWS,
        style,
    )
    setting = table.card.setting
    say(f"{out}: {len(table.rows)} workloads, {len(table.networks)} networks of {setting.device} {setting}")
