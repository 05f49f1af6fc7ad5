"""`zenbench compare`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ...errors import UserError
from ...quantities import count_of, format_ms
from ..comparing.agreement import Agreement, agree
from ..comparing.breakdown import Group
from ..comparing.intervals import Interval
from ..comparing.runs import compare_runs
from ..comparing.worst_networks import WorstShares, shares_of_worst
from ..latency_files.columns import Columns
from ..latency_files.foreign_columns import completed, read_either
from ..latency_files.latency_rows import LatencyRow
from ..tables.block_latencies import BlockLatency
from .compare_runs import SHOWN, TOO_LITTLE, named_setting, show_runs
from .shared.options import COLUMNS, FILE, SHARE, format_option, table_option
from .shared.output import NETWORK_COLUMN, Column, OutputRecord, answer, label, say, show_table

SHOWN_BLOCKS = 3
SUMMARY = (
    Column("what", "", right=False),
    Column("value", ""),
    Column("interval", "95 % confidence"),
)
GROUP = (
    Column("count", "networks"),
    Column("mape", "MAPE", lambda v: f"{v:.1%}"),
    Column("bias", "bias", lambda v: f"{v:+.1%}"),
    Column("within_10", "within 10 %", lambda v: f"{v:.0%}"),
)
WORST = (
    NETWORK_COLUMN,
    Column("measured_ms", "measured", format_ms),
    Column("predicted_ms", "predicted", format_ms),
    Column("error", "error", lambda v: f"{v:+.1%}"),
)
BLOCKS = (
    Column("error", "error", lambda v: f"{v:+.1%}"),
    Column("share", "share", lambda v: f"{v:.0%}"),
    Column("times", "times"),
    Column("block", "their largest blocks", right=False),
    Column("source", "source", right=False),
)


@click.command("compare")
@click.argument("measured", type=FILE)
@click.argument("predicted", type=FILE)
@click.option(
    "--columns",
    type=COLUMNS,
    multiple=True,
    help="What a file of another tool has where, as in network=arch,latency=lat_us. Given once, for every "
    "file with these columns; given twice, first for MEASURED.",
)
@click.option(
    "--runs", is_flag=True, help="Both files are measurements: is the second run slower than the first?"
)
@table_option
@click.option(
    "--fail-above",
    type=SHARE,
    help="Exit with code 1 where the mean error, or a slow-down beyond chance, is larger, as in 5%.",
)
@format_option
def command(
    measured: Path,
    predicted: Path,
    columns: tuple[Columns, ...],
    runs: bool,
    table: Path | None,
    fail_above: float | None,
    style: str,
) -> int:
    """Hold predictions against measurements, or a run against an earlier one.

    MEASURED and PREDICTED are CSV files of zenbench or of other tools. Two files that zenbench measured
    are a run before and a run after: is this device, driver or runtime slower now?
    """
    first, second = _read(measured, predicted, columns)
    if runs or (_is_measured(first) and _is_measured(second)):
        if table:
            raise UserError("two runs have no predicted blocks to show; leave --table out")
        comparison = compare_runs(first, second)
        show_runs(comparison, style)
        slower = comparison.change if comparison.significant else 0.0
        return _fails("a slow-down", slower, fail_above)
    if _is_predicted(first) and _is_measured(second):
        raise UserError(f"{measured} holds predictions and {predicted} measurements; name {predicted} first")
    if _is_predicted(first):
        say(f"{measured} holds predictions; they are taken for measurements")
    agreement = agree(first, second)
    show_agreement(agreement, style, shares_of_worst(agreement, agreement.pairs[:SHOWN], table))
    return _fails("the mean error", agreement.mape, fail_above)


def _read(
    measured: Path, predicted: Path, columns: tuple[Columns, ...]
) -> tuple[Sequence[LatencyRow], Sequence[LatencyRow]]:
    if len(columns) > 2:
        raise UserError("--columns is given once, or twice: for MEASURED and for PREDICTED")
    named = columns if len(columns) == 2 else (columns or (Columns(),)) * 2
    first, second = (
        read_either(path, names, optional=len(columns) == 1)
        for path, names in zip((measured, predicted), named, strict=True)
    )
    unnamed = [
        path
        for path, rows in ((measured, first), (predicted, second))
        if not all(row.setting for row in rows)
    ]
    if len(unnamed) == 2:
        say("neither file names its setting; they are taken to be of one")
    elif unnamed:
        say(f"{unnamed[0]} names no setting; it is taken to be of the other file's")
    found = completed(first, second), completed(second, first)
    for path, given, whole in zip((measured, predicted), (first, second), found, strict=True):
        if any(old.resolution != new.resolution for old, new in zip(given, whole, strict=True)):
            say(f"{path} names no resolution; its networks are taken to be of the other file's")
    return found


def _is_measured(rows: Sequence[LatencyRow]) -> bool:
    return any(row.rounds is not None for row in rows)


def _is_predicted(rows: Sequence[LatencyRow]) -> bool:
    return any(row.coverage is not None for row in rows)


def _fails(what: str, value: float, limit: float | None) -> int:
    failed = limit is not None and value > limit
    if failed:
        say(f"zenbench: {what} of {value:.1%} is above {limit:.1%}")
    return int(failed)


def show_agreement(agreement: Agreement, style: str, shares: WorstShares | None = None) -> None:
    """Prints the summary, the kinds of networks and the worst of them, with their blocks where known."""
    worst = agreement.pairs[:SHOWN]
    blocks = shares.blocks if shares else {}
    summary = {key: value for key, value in asdict(agreement).items() if key != "pairs"}
    if style == "table":
        click.echo(f"{named_setting(agreement)}: {count_of(agreement.count, 'network')}\n")
        answer(_lines(agreement), SUMMARY, style)
        for heading, groups in (("family", agreement.families), ("kernels", agreement.kernels)):
            _show_groups(heading, groups)
        click.echo("\nworst networks")
        show_table([{"label": label(pair.network), **asdict(pair)} for pair in worst], WORST)
        if blocks:
            click.echo()
            show_table([row for pair in worst for row in _blocks(pair.error, blocks[pair.digest])], BLOCKS)
    else:
        records = [
            {**asdict(pair), "blocks": [_block(one) for one in blocks.get(pair.digest, ())]} for pair in worst
        ]
        more = {"worst": records, "no_blocks": shares and shares.missing} if style == "json" else {}
        answer([{**summary, **more}], (), style)
    if shares and shares.missing and style == "table":
        say(f"no shares of blocks: {shares.missing}; or name the predictions' own with --table")


def _show_groups(heading: str, groups: Sequence[Group]) -> None:
    if len(groups) > 1:
        click.echo()
        show_table([asdict(one) for one in groups], (Column("name", heading, right=False), *GROUP))


def _blocks(error: float, shares: Sequence[BlockLatency]) -> list[OutputRecord]:
    """The largest blocks of one network; the error stands beside the first."""
    largest = sorted(shares, key=lambda one: -one.share)[:SHOWN_BLOCKS]
    return [{**_block(one), "error": error if one is largest[0] else None} for one in largest]


def _block(one: BlockLatency) -> dict[str, Any]:
    return {
        "block": one.workload.label,
        "workload": str(one.workload),
        "times": one.times,
        "ms": one.ms,
        "std_ms": one.std_ms,
        "share": one.share,
        "source": one.source,
    }


def _lines(agreement: Agreement) -> list[OutputRecord]:
    spans = agreement.intervals
    std = f"{_percent(agreement.within_1_std)} / {_percent(agreement.within_2_std)}"
    lines: list[tuple[str, str, Interval | None]] = [
        ("mean error (MAPE)", _percent(agreement.mape), spans.mape),
        ("bias", f"{agreement.bias:+.1%}", spans.bias),
        ("within 5 %", _percent(agreement.within_5), spans.within_5),
        ("within 10 %", _percent(agreement.within_10), spans.within_10),
        ("Spearman", _number(agreement.spearman), spans.spearman),
        ("Kendall", _number(agreement.kendall), None),
        ("noise ceiling (a repetition's MAPE)", _percent(agreement.noise_ceiling), None),
        ("truths within 1 std / 2 std", TOO_LITTLE if agreement.within_1_std is None else std, None),
    ]
    if agreement.reference_drift is not None:
        lines.append(("reference workload, now / then", f"{agreement.reference_drift:.3f}", None))
        lines.append(("mean error without that drift", _percent(agreement.mape_without_drift), None))
    for count, what in (
        (agreement.failed, "failed"),
        (agreement.only_measured, "measured only"),
        (agreement.only_predicted, "predicted only"),
    ):
        if count:
            lines.append((what, str(count), None))
    return [
        {"what": what, "value": value, "interval": span and _span(what, span)} for what, value, span in lines
    ]


def _span(what: str, span: Interval) -> str:
    if what == "Spearman":
        return f"{span.low:.3f} to {span.high:.3f}"
    sign = "+" if what == "bias" else ""
    return f"{span.low:{sign}.1%} to {span.high:{sign}.1%}"


def _percent(value: float | None) -> str:
    return TOO_LITTLE if value is None else f"{value:.1%}"


def _number(value: float | None) -> str:
    return TOO_LITTLE if value is None else f"{value:.3f}"
