"""`zenbench tables` and its commands: merge, import, export."""

from __future__ import annotations

from pathlib import Path

import click

from ....errors import TableError, UserError
from ....latency_tables.additive import AdditiveTable
from ....latency_tables.fitted.model import FittedTable
from ....latency_tables.measured.model import TableModel
from ....latency_tables.modelled.model import ModelledTable
from ....latency_tables.predictor import Predictor, predictor
from ....latency_tables.store import all_paths
from ....latency_tables.table import LatencyTable
from ..shared.options import TABLE, format_option
from ..shared.output import Column, OutputRecord, answer, say
from . import exporting, importing

COLUMNS = (
    Column("device", "device", right=False),
    Column("setting", "setting", right=False),
    Column("provenance", "provenance", right=False),
    Column("workloads", "workloads"),
    Column("basis", "timed", right=False),
    Column("networks", "networks"),
    Column("noisy", "noisy rows"),
    Column("bias_of_sum", "bias of plain sum", lambda v: f"{v:+.1%}"),
    Column("left_out_error", "typical error", lambda v: f"{v:.0%}"),
    Column("left_out_interval", "its 95 % interval", lambda v: f"{v[0]:.0%} to {v[1]:.0%}"),
    Column("contradicted", "sources contradict each other on", right=False),
    Column("reading", "reading", right=False),
    Column("created", "last sitting", lambda v: v[:10], right=False),
    Column("path", "file", right=False),
    Column("problem", "problem", right=False),
)


@click.group("tables", invoke_without_command=True)
@format_option
@click.pass_context
def command(context: click.Context, style: str) -> None:
    """The latency tables there are."""
    if context.invoked_subcommand is not None:
        return
    records = [_describe(path) for path in all_paths()]
    answer(records, COLUMNS, style)


@command.command("merge")
@click.argument("tables", nargs=-1, required=True, type=TABLE)
@click.option("--out", type=TABLE, required=True, help="The merged table's .csv.")
def merge(tables: tuple[Path, ...], out: Path) -> None:
    """Merge tables of several sittings with one setting into one."""
    if out.exists():
        raise UserError(f"{out} exists already; choose another --out")
    merged = LatencyTable.load(tables[0])
    for path in tables[1:]:
        merged = merged.merged_with(LatencyTable.load(path))
    merged.save(out)
    say(f"{out}: {len(merged.rows)} workloads, {len(merged.networks)} networks")


command.add_command(importing.command)
command.add_command(exporting.command)


def _describe(path: Path) -> OutputRecord:
    try:
        table = LatencyTable.load(path)
        errors = _errors(predictor(table))
    except TableError as error:
        return {"path": str(path), "problem": str(error)}
    return {
        "device": table.card.setting.device,
        "setting": str(table.card.setting),
        "provenance": table.card.provenance,
        "workloads": len(table.rows),
        **({"basis": table.card.basis} if table.rows else {}),
        "networks": len(table.networks),
        "noisy": sum(row.verdict != "quiet" for row in table.rows.values()),
        **errors,
        "created": table.card.created,
        "path": str(path),
    }


def _errors(model: Predictor) -> OutputRecord:
    """How far the predictions of a table were off, where that is known."""
    if isinstance(model, TableModel):
        left_out = model.calibration.left_out
        if left_out is None:
            return {}
        return {
            "bias_of_sum": model.calibration.bias_of_sum,
            "left_out_error": left_out.mape,
            "left_out_interval": [left_out.low, left_out.high],
        }
    if isinstance(model, FittedTable):
        return {"left_out_error": model.typical_error, "reading": model.record.reading}
    if not isinstance(model, AdditiveTable):
        return {}
    names = (
        dict.fromkeys(one.network for one in model.contradictions) if isinstance(model, ModelledTable) else ()
    )
    return {"left_out_error": model.typical_error, "contradicted": ", ".join(names) or None}
