"""`zenbench demo`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import click

from ...atomic import write_text
from ...devices.base import Artifact, SettingRequest
from ...devices.registry import device as find_device
from ...errors import UserError
from ...latency_tables.measured.model import TableModel
from ...latency_tables.table import LatencyTable
from ...quantities import format_ms
from ...zen.families import zoo
from ...zen.network import Network
from ...zen.proxies.closed_form import zen_closed
from ...zen.search.budget import Budget, LatencyLimit
from ...zen.search.shape_guard import guarded
from ...zen.search.task import SearchTask
from ...zen.space import open_space
from ..comparing.agreement import Agreement, agree
from ..export.checked import export_onnx, export_tflite
from ..export.parity import Parity
from ..latency_files.latency_rows import LatencyRow, read_rows, write_rows
from ..networks.reading import networks_only, read
from ..profiling.plan import plan, random_networks, sources
from ..profiling.progress import Limits
from ..refining.records import MEASURED, PREDICTED
from ..searching.result_record import ResultRecord
from ..searching.run_folder import take_folder
from ..searching.task_record import task_record
from ..tables.prediction import predict
from .compare import show_agreement
from .export import write_parity
from .measure import run_measure
from .profile import run_profile
from .report import show_report
from .searches.answer import forward_text
from .searches.run import Measuring, run_search
from .shared.options import DURATION, FOLDER
from .shared.output import say

RIVAL = "zennet-0.1ms"
"""The known network whose own latency on this machine is the budget."""
TEST_SEED, TEST_NETWORKS = 1_000, 10
MEASURE_SECONDS = 60.0
"""For finalists of the search, as `zenbench search` has it."""


@click.command("demo")
@click.option(
    "--time", "duration_ms", type=DURATION, default="90s", show_default=True, help="For the profile."
)
@click.option("--runtime", help="Runtime of this computer's CPU; default from the card.")
@click.option("--evaluations", type=click.IntRange(1), default=96_000, show_default=True)
@click.option("--out", type=FOLDER, help="Run directory; default runs/<time>-demo.")
def command(duration_ms: float, runtime: str | None, evaluations: int, out: Path | None) -> int:
    """The whole story on this machine, in a few minutes.

    Profiles the CPU's blocks, takes the measured latency of a published network as the budget, searches
    for a better network within it and measures what it finds meanwhile, exports the winner, holds
    predictions against measurements, and writes a report of it all. Exit code 1 where no network was
    measured within the budget.
    """
    folder = out or Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S}-demo"
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty; choose another --out")
    driver = find_device("host", runtime)
    setting = driver.setting(SettingRequest())
    rival, space = zoo(RIVAL), open_space("resnet")
    table_path = folder / f"{setting.file_stem}.csv"

    say(f"1/5 profile this computer's CPU ({driver.identity()['cpu']})")
    run_profile(
        driver,
        setting,
        partial(plan, sources(space), [rival.resolution], 0),
        table_path,
        Limits(seconds=duration_ms / 1e3),
    )
    model = TableModel(LatencyTable.load(table_path))

    say(f"2/5 budget: the latency of {rival.name} here")
    budget_row = run_measure(driver, setting, [rival], folder / "budget.csv")[0]
    if budget_row.latency_ms is None:
        raise UserError(f"{rival.name} could not be measured: {budget_row.error}")

    say(f"3/5 search within {format_ms(budget_row.latency_ms)}, measuring what is found")
    limit = LatencyLimit(budget_row.latency_ms, model)
    free = SearchTask(space, rival.resolution, rival.classes, Budget(latencies=(limit,)), evaluations)
    task, _ = guarded(free)
    with take_folder(folder, "demo", task_record(task)) as searching:
        record, _ = run_search(task, searching, measuring=Measuring(MEASURE_SECONDS))
    found = networks_only([read(str(folder / "result.json"))], "exported")[0]

    say("4/5 export the found network and check it against torch")
    export = export_tflite if driver.accepts[0] == "tflite" else export_onnx
    artifact, parity = export(found, folder / f"network.{driver.accepts[0]}")
    write_parity(found, artifact, parity)

    say("5/5 measure it, with networks that the table has never seen, and compare")
    tests = random_networks(sources(space), [rival.resolution], TEST_SEED)
    networks = [found, rival, *(next(tests) for _ in range(TEST_NETWORKS))]
    # The search has measured its finalists; what it predicted of them before stays.
    files = [folder / name for name in (MEASURED, PREDICTED)]
    of_search = [read_rows(file) if file.exists() else [] for file in files]
    measured = run_measure(driver, setting, networks, files[0])
    predicted = _with_others(of_search[1], predict(model, networks))
    write_rows(files[0], _with_others(measured, of_search[0]))
    write_rows(files[1], predicted)
    agreement = agree(measured, predicted)
    show_agreement(agreement, "table")
    summary = _summary(record, rival, budget_row, measured[0], artifact, parity, agreement)
    write_text(folder / "summary.txt", summary)
    click.echo(summary, nl=False)
    say(f"everything is in {folder}/")
    show_report(folder)
    return 0 if record["verdicts"][0]["within"] else 1


def _with_others(rows: Sequence[LatencyRow], others: Sequence[LatencyRow]) -> list[LatencyRow]:
    """The rows, and the others of further networks."""
    digests = {row.digest for row in rows}
    return [*rows, *(row for row in others if row.digest not in digests)]


def _summary(
    record: ResultRecord,
    rival: Network,
    budget: LatencyRow,
    measured: LatencyRow,
    exported: Artifact,
    parity: Parity,
    agreement: Agreement,
) -> str:
    latency = record["latencies"][0]
    ceiling = agreement.noise_ceiling
    predicted_ms, measured_ms = latency["latency_ms"], measured.latency_ms or float("nan")
    lines = {
        "budget": f"{format_ms(budget.latency_ms or 0.0)}, as {rival.name} takes here",
        "found": record["network"],
        "score": (
            f"{forward_text(record)} by forward passes, "
            f"{record['score']:.2f} closed form ({rival.name}: {zen_closed(rival):.2f})"
        ),
        "predicted": f"{format_ms(predicted_ms)} +- {format_ms(latency['std_ms'])}",
        "measured": f"{format_ms(measured_ms)} once more after the search ({measured.verdict})",
        "error": f"{predicted_ms / measured_ms - 1:+.1%}",
        "all networks": (
            f"mean error {agreement.mape:.1%} over {agreement.count}, {agreement.within_10:.0%} within 10 %, "
            f"noise ceiling {'not known' if ceiling is None else f'{ceiling:.1%}'}"
        ),
        "export": f"{exported.path.name}, relative error to torch {parity.relative_error:.1g}",
        "verdict": record["verdicts"][0]["text"],
    }
    return "".join(f"{name + ':':14}{text}\n" for name, text in lines.items())
