"""`zenbench compare`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ...units import format_ms
from ..agreement import Agreement, agree
from ..latency_csv import read_rows
from .options import FILE, SHARE, format_option
from .output import NETWORK_COLUMN, Column, Record, answer, label, say, show_table

SHOWN = 5
WORST = (
    NETWORK_COLUMN,
    Column("measured_ms", "measured", format_ms),
    Column("predicted_ms", "predicted", format_ms),
    Column("error", "error", lambda v: f"{v:+.1%}"),
)


@click.command("compare")
@click.argument("measured", type=FILE)
@click.argument("predicted", type=FILE)
@click.option("--fail-above", type=SHARE, help="Exit with code 1 where the mean error is larger, as in 10%.")
@format_option
def command(measured: Path, predicted: Path, fail_above: float | None, style: str) -> int:
    """Hold predictions against measurements: MEASURED and PREDICTED are CSV files of zenbench."""
    agreement = agree(read_rows(measured), read_rows(predicted))
    show_agreement(agreement, style)
    failed = fail_above is not None and agreement.mape > fail_above
    if failed:
        say(f"zenbench: the mean error of {agreement.mape:.1%} is above {fail_above:.1%}")
    return int(failed)


def show_agreement(agreement: Agreement, style: str) -> None:
    """Prints the summary and the worst networks."""
    summary = {key: value for key, value in asdict(agreement).items() if key != "pairs"}
    if style == "json":
        answer([{**summary, "worst": [asdict(pair) for pair in agreement.pairs[:SHOWN]]}], (), style)
    elif style == "csv":
        answer([summary], (), style)
    else:
        answer(_lines(agreement), (Column("what", "", right=False), Column("value", "")), style)
        say("worst networks:")
        show_table(
            [{"label": label(pair.network), **asdict(pair)} for pair in agreement.pairs[:SHOWN]], WORST
        )


def _lines(agreement: Agreement) -> list[Record]:
    def percent(value: float | None) -> str:
        return "too little to tell" if value is None else f"{value:.1%}"

    def number(value: float | None) -> str:
        return "too little to tell" if value is None else f"{value:.3f}"

    lines = [
        ("setting", f"{agreement.device} {agreement.setting}"),
        ("networks", str(agreement.count)),
        ("mean error (MAPE)", percent(agreement.mape)),
        ("bias", f"{agreement.bias:+.1%}"),
        ("within 5 %", percent(agreement.within_5)),
        ("within 10 %", percent(agreement.within_10)),
        ("Spearman", number(agreement.spearman)),
        ("Kendall", number(agreement.kendall)),
        ("noise ceiling (MAPE of a repetition)", percent(agreement.noise_ceiling)),
        (
            "truths within 1 std / 2 std",
            f"{percent(agreement.within_1_std)} / {percent(agreement.within_2_std)}",
        ),
    ]
    if agreement.reference_drift is not None:
        lines.append(("reference workload, now / in the table", f"{agreement.reference_drift:.3f}"))
        lines.append(("mean error with that drift divided out", percent(agreement.mape_without_drift)))
    for count, what in (
        (agreement.failed, "failed"),
        (agreement.only_measured, "measured only"),
        (agreement.only_predicted, "predicted only"),
    ):
        if count:
            lines.append((what, str(count)))
    return [{"what": what, "value": value} for what, value in lines]
