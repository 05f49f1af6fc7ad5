"""`zenbench profile`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import click

from ...devices.base import Device, Setting
from ...errors import DeviceUnavailableError, NetworkError, UserError
from ...latency_tables.measured.model import TableModel
from ...latency_tables.measured.network_calibration import Calibration, LeftOutNetworks
from ...latency_tables.store import user_path
from ...latency_tables.table import LatencyTable
from ...latency_tables.table_files import card_path
from ...zen.graph_network import AnyNetwork
from ...zen.network import Network
from ...zen.space import open_space
from ...zen.workload import Workload
from ..measuring.journal import History, Journal, journal_path
from ..measuring.recipe import profile_recipe
from ..networks.reading import as_networks, read_each
from ..profiling.earlier_tables import set_aside
from ..profiling.hold_out import SearchedHoldOut
from ..profiling.plan import plan, random_networks, searches, sources
from ..profiling.profile import profile
from ..profiling.progress import Limits, Progress
from ..profiling.stopping import HoldOutVerdict, Target, shortage, verdict
from ..tables.from_journal import build_table
from .shared.options import DURATION, SHARE, chosen_device, measuring_options, seed_option, table_option
from .shared.output import say
from .shared.progress import progress

DEFAULT_MINUTES = 3
TARGET_MINUTES = 30
HOLD_OUT_NETWORKS = 24
"""Half of them random, half found by searches."""
_HOLD_OUT_SEED = 100
"""Far from the seeds of a plan's own networks."""
RESOLUTIONS = (224, 224, 224, 192, 160, 128, 96, 64, 32, 32)
"""What is profiled unless one resolution is asked for: mostly the usual 224, down to CIFAR's 32."""


@click.command("profile")
@measuring_options
@click.option(
    "--space",
    help="Only blocks of this space (resnet, mobilenet or a TOML file); default all, and blocks as the zoo's "
    "networks have them.",
)
@click.option(
    "--resolution", type=click.IntRange(8, 4096), help="Only networks of this resolution; default 32 to 224."
)
@click.option(
    "--time", "duration_ms", type=DURATION, help=f"How long this run may take; default {DEFAULT_MINUTES}m."
)
@click.option(
    "--blocks", type=click.IntRange(1), help="Until the table holds so many workloads, instead of a time."
)
@click.option(
    "--target-error",
    type=SHARE,
    help="Stop when the mean error over networks never learned from is shown to be below this, as 5%; else "
    f"after {TARGET_MINUTES}m, or --time or --blocks. Timing those networks comes on top.",
)
@click.option(
    "--for",
    "wanted",
    multiple=True,
    metavar="NETWORK",
    help="First the blocks of this network, or of those that a .csv or .txt file lists; may be repeated.",
)
@table_option
@seed_option
def command(
    device: str,
    space: str | None,
    resolution: int | None,
    duration_ms: float | None,
    blocks: int | None,
    target_error: float | None,
    wanted: tuple[str, ...],
    table: Path | None,
    seed: int,
    **options: Any,
) -> int:
    """Measure a device's blocks and build its latency table.

    Interrupting it loses nothing; running it again goes on where it stopped. Exit code 1 where --target-error
    was not reached.
    """
    driver, setting = chosen_device(device, options)
    path = table or user_path(setting)
    if duration_ms is None and blocks is None:
        duration_ms = (TARGET_MINUTES if target_error else DEFAULT_MINUTES) * 6e4
    limits = Limits(blocks, duration_ms / 1e3 if duration_ms else None)
    drawn = sources(*([open_space(space)] if space else []))
    resolutions = [resolution] if resolution else RESOLUTIONS
    planned = partial(plan, drawn, resolutions, seed, wanted=_wanted(wanted))
    if target_error is None:
        run_profile(driver, setting, planned, path, limits)
        return 0
    hold_out_seed, half = seed + _HOLD_OUT_SEED, HOLD_OUT_NETWORKS // 2
    # A small space draws some network twice.
    hold_out = list(dict.fromkeys(islice(random_networks(drawn, resolutions, hold_out_seed), half)))
    searched = SearchedHoldOut(
        searches(drawn, resolutions, hold_out_seed), HOLD_OUT_NETWORKS - half, hold_out
    )
    done = run_profile(driver, setting, planned, path, limits, hold_out, target_error, searched)
    if done.verdict and done.verdict.bound <= target_error:
        return 0
    seen = f"it may be {done.verdict.bound:.1%}" if done.verdict else shortage(done.table)
    advice = "there is no more to measure here" if done.exhausted else "run this again to go on"
    say(f"zenbench: a mean error below {target_error:.1%} is not shown yet, {seen}; {advice}")
    return 1


def _wanted(texts: Sequence[str]) -> list[Sequence[Workload]]:
    """The blocks of the networks that texts name, or that the files they name list; without those that hold
    operations which could not be read, and so cannot be written alone."""
    lists = [Path(text) for text in texts if text.endswith((".csv", ".txt"))]
    items = chain(
        *(read_each([], file, None, None) for file in lists),
        *(read_each([text], None, None, None) for text in texts if Path(text) not in lists),
    )
    return [_measurable(network) for item in items for network in as_networks([item])]


def _measurable(network: AnyNetwork) -> list[Workload]:
    found = [workload for workload in network.workloads() if not workload.graph().priced]
    for workload in found:
        try:
            Workload.parse(str(workload))  # as the journal is read, which one other key would spoil
        except NetworkError as error:
            raise NetworkError(f"{network} cannot be in a table: {error}") from None
    return found


class Profiled(NamedTuple):
    """A profile's table, the verdict on its hold-out networks, and whether there was no more to measure."""

    table: LatencyTable
    verdict: HoldOutVerdict | None
    exhausted: bool


def run_profile(
    driver: Device,
    setting: Setting,
    planned: Callable[[History], Iterable[Workload | Network]],
    path: Path,
    limits: Limits,
    hold_out: Sequence[Network] = (),
    target_error: float | None = None,
    searched: SearchedHoldOut | None = None,
) -> Profiled:
    """Profiles with a progress display; the table is written however the profile ends."""
    recipe = profile_recipe(driver)
    _check_journal(path)
    if (kept := set_aside(path, driver, setting)) is not None:
        say(f"{path} holds blocks that were timed alone, an older way; they are kept as {kept}")
    say(f"profiling {setting.device} {setting}")
    with Journal(journal_path(path)) as journal:
        try:
            with progress("profile", 1.0) as meter:

                def report(now: Progress) -> None:
                    judged = f"{now.hold_out} judging networks, " if hold_out else ""
                    meter(
                        now.share,
                        f"{now.workloads} workloads, {now.networks} networks, {judged}{now.failed} failed",
                    )

                enough = Target(target_error).met if target_error is not None else None
                items = planned(journal.history)
                exhausted = profile(
                    driver, setting, items, journal, recipe, limits, report, hold_out, enough, searched
                )
        except DeviceUnavailableError as error:
            if not _measured(journal):
                raise
            raise DeviceUnavailableError(
                f"{error}; what was measured is kept: run this again to go on"
            ) from error
        finally:
            if _measured(journal):
                build_table(journal.history).save(path)
    model = TableModel(build_table(journal.history))
    table, calibration = model.table, model.calibration
    say(
        f"{path}: {len(table.rows)} workloads, {len(table.networks)} networks, "
        f"{sum(row.verdict != 'quiet' for row in table.rows.values())} rows not quiet"
    )
    if (left_out := calibration.left_out) is not None:
        say(
            f"typical error, of {left_out.networks} whole networks left out: {left_out.mape:.1%} "
            f"(95 % interval {left_out.low:.1%} to {left_out.high:.1%}); "
            + _against_sum(calibration, left_out)
        )
    if found := verdict(model):
        say(
            f"{found.networks} networks that nothing was learned from: mean error {found.mape:.1%}, "
            f"its 95 % bound {found.bound:.1%}"
        )
    return Profiled(table, found, exhausted)


def _check_journal(path: Path) -> None:
    """Raises UserError for a table that was not made from a journal, since that would make it anew."""
    journal = journal_path(path)
    backed = journal.exists() and journal.stat().st_size > 0
    if not backed and any(one.exists() for one in (path, card_path(path))):
        raise UserError(
            f"{path} holds a table without the journal that it was made from, and would be overwritten; "
            "choose another --table"
        )


def _against_sum(calibration: Calibration, left_out: LeftOutNetworks) -> str:
    if calibration.is_plain:
        return "predictions are plain sums of blocks, since a calibration is no nearer"
    return f"plain sums of blocks are off by {left_out.mape_of_sum:.1%}, bias {calibration.bias_of_sum:+.1%}"


def _measured(journal: Journal) -> bool:
    return any(one.timing is not None for one in journal.history.measurements)
