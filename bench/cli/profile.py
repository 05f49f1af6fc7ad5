"""`zenbench profile`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from ...devices.base import Device, Setting
from ...devices.card import card
from ...errors import DeviceUnavailableError
from ...latency_tables.model import TableModel
from ...latency_tables.store import user_path
from ...zen.network import Network
from ...zen.space import open_space, spaces
from ...zen.workload import Workload
from ..journal import Journal
from ..planning import plan
from ..profiling import build_table, journal_path, profile
from ..tally import Limits, Progress
from ..timing import Recipe
from .options import DURATION, chosen_device, measuring_options, seed_option, table_option
from .output import say
from .progress import progress

DEFAULT_MINUTES = 3
RESOLUTIONS = (224, 224, 224, 192, 160, 128, 96, 64, 32, 32)
"""What is profiled unless one resolution is asked for: mostly the usual 224, down to CIFAR's 32."""


@click.command("profile")
@measuring_options
@click.option("--space", help="Only blocks of this space (resnet, mobilenet or a TOML file); default all.")
@click.option(
    "--resolution", type=click.IntRange(8, 4096), help="Only networks of this resolution; default 32 to 224."
)
@click.option(
    "--time", "duration_ms", type=DURATION, help=f"How long this run may take; default {DEFAULT_MINUTES}m."
)
@click.option(
    "--blocks", type=click.IntRange(1), help="Until the table holds so many workloads, instead of a time."
)
@table_option
@seed_option
def command(
    device: str,
    space: str | None,
    resolution: int | None,
    duration_ms: float | None,
    blocks: int | None,
    table: Path | None,
    seed: int,
    **options: Any,
) -> None:
    """Measure a device's blocks and build its latency table.

    Interrupting it loses nothing; running it again goes on where it stopped.
    """
    driver, setting = chosen_device(device, options)
    path = table or user_path(setting)
    if duration_ms is None and blocks is None:
        duration_ms = DEFAULT_MINUTES * 6e4
    limits = Limits(blocks, duration_ms / 1e3 if duration_ms else None)
    chosen = [open_space(space)] if space else list(spaces().values())
    items = plan(chosen, [resolution] if resolution else RESOLUTIONS, seed)
    run_profile(driver, setting, items, path, limits)


def run_profile(
    driver: Device,
    setting: Setting,
    items: Iterable[Workload | Network],
    path: Path,
    limits: Limits,
    judges: Sequence[Network] = (),
) -> None:
    """Profiles with a progress display; the table is written however the profile ends."""
    say(f"profiling {setting.device} {setting}")
    with Journal(journal_path(path)) as journal:
        try:
            with progress("profile", limits.workloads or limits.seconds or 1.0) as meter:

                def report(now: Progress) -> None:
                    done = now.workloads + now.failed if limits.workloads else now.seconds
                    judging = f"{now.judges} judging networks, " if judges else ""
                    meter(
                        done,
                        f"{now.workloads} workloads, {now.networks} networks, {judging}{now.failed} failed",
                    )

                recipe = Recipe().adapted(card(driver.name).recipe)
                profile(driver, setting, items, journal, recipe, limits, report, judges)
        except DeviceUnavailableError as error:
            if not _measured(journal):
                raise
            raise DeviceUnavailableError(
                f"{error}; what was measured is kept: run this again to go on"
            ) from error
        finally:
            if _measured(journal):
                build_table(journal.history).save(path)
    table = build_table(journal.history)
    calibration = TableModel(table).calibration
    say(
        f"{path}: {len(table.rows)} workloads, {len(table.networks)} networks, "
        f"{sum(row.verdict != 'quiet' for row in table.rows.values())} rows not quiet"
    )
    if calibration.bias_of_sum is not None:
        say(
            f"plain sum of blocks against whole networks: bias {calibration.bias_of_sum:+.1%}; "
            f"calibrated on {calibration.networks} networks, about {calibration.noise:.0%} left"
        )


def _measured(journal: Journal) -> bool:
    return any(one.timing is not None for one in journal.history.measurements)
