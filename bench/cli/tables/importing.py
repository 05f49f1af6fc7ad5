"""`zenbench tables import`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from ....errors import UserError
from ....quantities import format_ms
from ....zen.graph import PlainFunction
from ...tables.importing.fields import read_text
from ...tables.importing.formats import FORMATS, Format, format_of
from ...tables.importing.importing import (
    import_blocks,
)
from ...tables.importing.subjects_file import all_with, read_subjects
from ...tables.importing.trtexec import read_profile
from ..shared.options import BATCH, DURATION_OR_NONE, FILE, PRECISION, TABLE, format_option
from ..shared.output import Column, OutputRecord, answer, say
from .timings import asked_out, asked_setting, import_logs, import_summaries, import_traces, show_rows

UNITS_MS = {"ms": 1.0, "us": 1e-3, "s": 1e3}
LAYERS = (
    Column("layer", "layer", right=False),
    Column("unit", "unit"),
    Column("average_ms", "mean", format_ms),
    Column("median_ms", "median", format_ms),
    Column("share", "share", lambda v: f"{v:.1%}"),
)
_USED_BY: dict[str, tuple[Format, ...]] = {
    "subject": ("trtexec", "trtexec-summary", "benchmark-model"),
    "subjects": ("trtexec", "trtexec-summary", "benchmark-model"),
    "resolution": ("trtexec", "trtexec-summary", "benchmark-model"),
    "classes": ("trtexec", "trtexec-summary", "benchmark-model"),
    "warmup": ("trtexec",),
    "activation": ("ofa-yaml",),
    "unit": ("ofa-yaml",),
    **dict.fromkeys(
        ("device", "runtime", "precision", "batch", "threads", "out"),
        ("trtexec", "trtexec-summary", "benchmark-model", "ofa-yaml"),
    ),
}


@click.command("import")
@click.argument("files", nargs=-1, metavar="FILE...", type=FILE)
@click.option("--as", "kind", type=click.Choice(FORMATS), help="What wrote the files; default by content.")
@click.option("--device", help="The device that was measured: a card's name, or any other.")
@click.option("--runtime", help="The runtime it ran in, such as tensorrt or litert.")
@click.option("--precision", type=PRECISION, help="Of its weights and activations.")
@click.option("--batch", type=BATCH, help="Images a run.")
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
    type=click.Choice(get_args(PlainFunction)),
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
    if given is None:
        if not options["subject"]:
            raise UserError(
                "the files do not say what was measured; name the network or workload with --subject, "
                "or several with --subjects"
            )
        given = all_with(paths, options["subject"], options["resolution"], options["classes"])
    if kind == "benchmark-model":
        import_logs(given, texts, options, style)
    elif kind == "trtexec-summary":
        import_summaries(given, texts, options, style)
    else:
        import_traces(given, texts, options, style)


def _check_used(kind: Format, options: dict[str, Any]) -> None:
    idle = [name for name, kinds in _USED_BY.items() if options[name] is not None and kind not in kinds]
    if idle and kind == "trtexec-profile":
        raise UserError(
            f"a layer profile is shown and makes no table, so --{idle[0]} has no use; for a table import "
            "the file of trtexec --exportTimes"
        )
    if idle:
        raise UserError(f"--{idle[0]} has no use for {kind}; leave it out")


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

    setting, out = asked_setting(options), asked_out(options)
    blocks = read_blocks(text, path, options["activation"], UNITS_MS[options["unit"] or "ms"])
    table = import_blocks(blocks, path, setting, out)
    for one in blocks.left_out:
        say(f"{path} line {one.line}: {one.key}: left out: {one.reason}")
    say(f"{blocks.activation} is taken where a key does not say its activation (--activation)")
    if blocks.unknown_spreads:
        say(f"{blocks.unknown_spreads} entries lack count, or std and var; their unknown spread stands as 0")
    show_rows(table, out, style)
