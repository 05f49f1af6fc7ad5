"""`zenbench tables import`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import click

from ....devices.base import Setting
from ....errors import UserError
from ....latency_tables.row import Row
from ....latency_tables.table import LatencyTable
from ....quantities import format_ms
from ....zen.graph import Function
from ....zen.network import Network
from ....zen.workload import Workload
from ...tables.importing.fields import read_text
from ...tables.importing.formats import FORMATS, Format, format_of
from ...tables.importing.importing import (
    ImportedFile,
    check_named,
    check_new,
    import_blocks,
    import_timings,
    timing_of_log,
    timings_of_trace,
)
from ...tables.importing.subjects_file import all_with, read_subjects
from ...tables.importing.trtexec import WARMUP_MS, Trace, read_profile, read_times
from ..shared.options import DURATION_OR_NONE, FILE, TABLE, format_option
from ..shared.output import Column, OutputRecord, answer, label, say

UNITS_MS = {"ms": 1.0, "us": 1e-3, "s": 1e3}
PINNING = "unknown"
ROWS = (
    Column("label", "subject", right=False),
    Column("latency_ms", "latency", format_ms),
    Column("spread", "spread", lambda v: f"{v:.1%}"),
    Column("rounds", "rounds"),
    Column("runs", "runs"),
    Column("verdict", "verdict", right=False),
)
LAYERS = (
    Column("layer", "layer", right=False),
    Column("unit", "unit"),
    Column("average_ms", "mean", format_ms),
    Column("median_ms", "median", format_ms),
    Column("share", "share", lambda v: f"{v:.1%}"),
)
_USED_BY: dict[str, tuple[Format, ...]] = {
    "subject": ("trtexec", "benchmark-model"),
    "subjects": ("trtexec", "benchmark-model"),
    "resolution": ("trtexec", "benchmark-model"),
    "classes": ("trtexec", "benchmark-model"),
    "warmup": ("trtexec",),
    "activation": ("ofa-yaml",),
    "unit": ("ofa-yaml",),
    **dict.fromkeys(
        ("device", "runtime", "precision", "batch", "threads", "out"),
        ("trtexec", "benchmark-model", "ofa-yaml"),
    ),
}


@click.command("import")
@click.argument("files", nargs=-1, metavar="FILE...", type=FILE)
@click.option("--as", "kind", type=click.Choice(FORMATS), help="What wrote the files; default by content.")
@click.option("--device", help="The device that was measured: a card's name, or any other.")
@click.option("--runtime", help="The runtime it ran in, such as tensorrt or litert.")
@click.option("--precision", help="fp32, fp16 or int8.")
@click.option("--batch", type=click.IntRange(1), help="Images a run.")
@click.option("--threads", type=click.IntRange(1), help="Threads; default 1.")
@click.option("--subject", help="The network or workload that every FILE measured.")
@click.option("--subjects", type=FILE, help="Instead of FILE and --subject: a CSV file with both as columns.")
@click.option("--resolution", type=click.IntRange(1, 4096), help="Input height and width of the subject.")
@click.option("--classes", type=click.IntRange(1), help="Outputs of the subject's classifier.")
@click.option(
    "--warmup", type=DURATION_OR_NONE, help="trtexec's --warmUp, as in 0ms; default its own, 200ms."
)
@click.option(
    "--activation",
    type=click.Choice(get_args(Function)),
    help="Of YAML keys that do not say theirs; default relu6, or hard-swish where blocks have hs.",
)
@click.option("--unit", type=click.Choice(tuple(UNITS_MS)), help="Of the times in YAML; default ms.")
@click.option("--out", type=TABLE, help="The new table's .csv.")
@format_option
def command(files: tuple[Path, ...], kind: Format | None, style: str, **options: Any) -> None:
    """Read what other tools measured: trtexec, benchmark_model, Once-for-All's YAML tables."""
    given = read_subjects(options["subjects"]) if options["subjects"] else None
    paths = [one.path for one in given] if given else list(files)
    if not paths or (given and (files or options["subject"])):
        raise UserError("give the files to import, or --subjects with a CSV file that lists them, not both")
    texts = {path: read_text(path) for path in paths}
    kinds = {kind or format_of(text, path) for path, text in texts.items()}
    if len(kinds) > 1:
        raise UserError(f"the files are of several kinds ({', '.join(sorted(kinds))}); import each by itself")
    kind = kinds.pop()
    _check_used(kind, options)
    if kind in ("trtexec-profile", "ofa-yaml"):
        if len(paths) > 1:
            raise UserError(f"one file of {kind} at a time; tables join with zenbench tables merge")
        if kind == "trtexec-profile":
            _show_layers(texts[paths[0]], paths[0], style)
        else:
            _import_yaml(texts[paths[0]], paths[0], options, style)
        return
    setting, out = _setting(options), _out(options)
    if given is None:
        if not options["subject"]:
            raise UserError(
                "the files do not say what was measured; name the network or workload with --subject, "
                "or several with --subjects"
            )
        given = all_with(paths, options["subject"], options["resolution"], options["classes"])
    _import_timings(kind, given, texts, setting, out, options["warmup"], style)


def _check_used(kind: Format, options: dict[str, Any]) -> None:
    idle = [name for name, kinds in _USED_BY.items() if options[name] is not None and kind not in kinds]
    if idle and kind == "trtexec-profile":
        raise UserError(
            f"a layer profile is shown and makes no table, so --{idle[0]} has no use; for a table import "
            "the file of trtexec --exportTimes"
        )
    if idle:
        raise UserError(f"--{idle[0]} has no use for {kind}; leave it out")


def _setting(options: dict[str, Any]) -> Setting:
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


def _out(options: dict[str, Any]) -> Path:
    out: Path | None = options["out"]
    if out is None:
        raise UserError("name the table to write with --out TABLE.csv")
    check_new(out)
    return out


def _show_layers(text: str, path: Path, style: str) -> None:
    layers = read_profile(text, path)
    records: list[OutputRecord] = [
        {
            "layer": layer.name,
            "unit": layer.unit,
            "average_ms": layer.average_ms,
            "median_ms": layer.median_ms,
            "share": layer.share,
        }
        for layer in layers
    ]
    answer(records, LAYERS, style)
    total = sum(layer.average_ms for layer in layers)
    say(
        f"{len(layers)} layers, {format_ms(total)} a run in all; no table: a layer is TensorRT's own fusion, "
        "timed with a profiler attached, not one of our blocks timed alone"
    )


def _import_yaml(text: str, path: Path, options: dict[str, Any], style: str) -> None:
    from ...tables.importing.block_yaml import read_blocks

    setting, out = _setting(options), _out(options)
    blocks = read_blocks(text, path, options["activation"], UNITS_MS[options["unit"] or "ms"])
    table = import_blocks(blocks, path, setting, out)
    for one in blocks.left_out:
        say(f"{path} line {one.line}: {one.key}: left out: {one.reason}")
    say(f"{blocks.activation} is taken where a key does not say its activation (--activation)")
    if blocks.unknown_spreads:
        say(f"{blocks.unknown_spreads} entries lack count or std; their spread is not known and stands as 0")
    _show_rows(table, out, style)


def _import_timings(
    kind: Format,
    given: Sequence[ImportedFile],
    texts: dict[Path, str],
    setting: Setting,
    out: Path,
    warmup_ms: float | None,
    style: str,
) -> None:
    files = []
    for one in given:
        if kind == "trtexec":
            trace = read_times(texts[one.path], one.path, WARMUP_MS if warmup_ms is None else warmup_ms)
            files.append((one, timings_of_trace(trace)))
            say(_about(one.path, trace))
        else:
            files.append((one, [timing_of_log(texts[one.path], one.path, setting)]))
    table = import_timings(files, setting, out)
    if any(row.rounds == 1 for row in (*table.rows.values(), *table.networks.values())):
        say("one round says nothing of the spread between rounds, which stands as 0; import several logs")
    _show_rows(table, out, style)


def _about(path: Path, trace: Trace) -> str:
    copies = [
        f"{format_ms(ms)} {way}"
        for ms, way in zip(trace.copies_ms, ("to the GPU", "from it"), strict=True)
        if ms is not None
    ]
    apart = f"; copies, apart: {', '.join(copies)}" if copies else ""
    warmup = f", {len(trace.warmup_ms)} of the warm-up apart" if trace.warmup_ms else ""
    return f"{path}: GPU compute time of {len(trace.runs_ms)} runs{warmup}{apart}"


def _show_rows(table: LatencyTable, out: Path, style: str) -> None:
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
