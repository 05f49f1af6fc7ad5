"""`zenbench doctor`."""

from __future__ import annotations

from dataclasses import asdict

import click

from ..doctor import examine
from .shared.options import format_option
from .shared.output import Column, answer

COLUMNS = (
    Column("status", "", right=False),
    Column("check", "check", right=False),
    Column("found", "found", right=False),
    Column("advice", "what to do", right=False),
)


@click.command("doctor")
@format_option
def command(style: str) -> int:
    """What on this machine disturbs measurements, and what to do about it. Exit code 1 where one fails."""
    findings = examine()
    answer([asdict(finding) for finding in findings], COLUMNS, style)
    return int(any(finding.status == "fail" for finding in findings))
