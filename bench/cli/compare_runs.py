"""What `zenbench compare` prints of a run against an earlier one."""

from __future__ import annotations

from dataclasses import asdict

import click

from ...quantities import count_of, format_ms
from ..comparing.agreement import Agreement
from ..comparing.runs import RunComparison
from .shared.output import NETWORK_COLUMN, Column, OutputRecord, answer, label, say, show_table

SHOWN = 5
TOO_LITTLE = "too little to tell"


def _change(value: float) -> str:
    return f"{value:+.1%}"


SUMMARY = (Column("what", "", right=False), Column("value", "", right=False))
KERNELS = (
    Column("name", "kernels", right=False),
    Column("count", "networks"),
    Column("change", "change", _change),
)
CHANGES = (
    NETWORK_COLUMN,
    Column("before_ms", "before", format_ms),
    Column("after_ms", "after", format_ms),
    Column("change", "change", _change),
    Column("noise", "noise", lambda v: f"{v:.1%}"),
    Column("beyond", "beyond", right=False),
)


def named_setting(found: Agreement | RunComparison) -> str:
    """Device and setting, as far as the files name them."""
    return f"{found.device} {found.setting}".strip() or "setting not named"


def show_runs(comparison: RunComparison, style: str) -> None:
    """Prints the change of the typical network, the kinds and networks that changed most, and the verdict."""
    largest = [asdict(one) for one in comparison.changes[:SHOWN]]
    if style == "table":
        click.echo(f"{named_setting(comparison)}: {count_of(comparison.count, 'network')} before and after")
        for when, versions in (("before", comparison.versions_before), ("after", comparison.versions_after)):
            click.echo(f"{when}: {versions or 'versions not named'}")
        click.echo()
        answer(_lines(comparison), SUMMARY, style)
        if len(comparison.kernels) > 1:
            click.echo()
            show_table([asdict(one) for one in comparison.kernels], KERNELS)
        click.echo("\nlargest changes")
        show_table(
            [
                {"label": label(one["network"]), **one, "beyond": "noise" if one["beyond_noise"] else ""}
                for one in largest
            ],
            CHANGES,
        )
        click.echo(f"\n{comparison.verdict}")
        if comparison.significant:
            say("a machine that is not steady changes by itself; measure the first run again to see how much")
        return
    whole = {key: value for key, value in asdict(comparison).items() if key != "changes"}
    record = {"verdict": comparison.verdict, "significant": comparison.significant, **whole}
    answer([{**record, **({"changes": largest} if style == "json" else {})}], (), style)


def _lines(comparison: RunComparison) -> list[OutputRecord]:
    interval, p_value = comparison.interval, comparison.p_value
    reach = f", 95 % confidence {interval.low:+.1%} to {interval.high:+.1%}" if interval else ""
    lines = [
        ("typical change", f"{comparison.change:+.1%}{reach}"),
        ("chance of it in equal runs", TOO_LITTLE if p_value is None else f"{p_value:.2g}"),
    ]
    if comparison.noise is not None:
        lines.append(("noise of one network", f"{comparison.noise:.1%}"))
        lines.append(("beyond their own noise", f"{comparison.slower} slower, {comparison.faster} faster"))
    if comparison.reference_change is not None:
        lines.append(("reference workload", f"{comparison.reference_change:+.1%}"))
    for count, what in (
        (comparison.not_quiet, "noisy or throttled in a run"),
        (comparison.failed, "failed"),
        (comparison.only_before, "before only"),
        (comparison.only_after, "after only"),
    ):
        if count:
            lines.append((what, str(count)))
    return [{"what": what, "value": value} for what, value in lines]
