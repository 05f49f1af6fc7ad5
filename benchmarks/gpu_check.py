"""Everything that zenbench does on a GPU, in one go: `python benchmarks/gpu_check.py [--device nvidia]`.

For every runtime of the device's card: profiles blocks, measures whole networks, and says how well they are
predicted; then times the forward passes of the Zen-Score. Writes one JSON file, anew after each part: a part
that fails has its error there, and the next goes on. Exit code 3 where no runtime of the device is ready.
`--device simulated --blocks 24 --networks 3` shows the whole path without a GPU.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from zenbench.atomic import make_folder, write_json
from zenbench.bench.comparing.agreement import agree
from zenbench.bench.latency_files.latency_rows import write_rows
from zenbench.bench.measuring.journal import Journal, journal_path
from zenbench.bench.measuring.recipe import profile_recipe
from zenbench.bench.measuring.whole_networks import RECIPE, measure
from zenbench.bench.profiling.plan import plan, random_networks, sources
from zenbench.bench.profiling.profile import profile
from zenbench.bench.profiling.progress import Limits
from zenbench.bench.tables.from_journal import build_table
from zenbench.bench.tables.prediction import predict
from zenbench.devices.base import Device, Setting, SettingRequest
from zenbench.devices.card import card
from zenbench.devices.registry import device
from zenbench.errors import ZenbenchError
from zenbench.latency_tables.measured.model import TableModel
from zenbench.latency_tables.table import LatencyTable
from zenbench.zen.families import zoo
from zenbench.zen.network import Network
from zenbench.zen.space import spaces

RESOLUTIONS = (224, 192, 160)
SCORED = ("resnet-18", "resnet-50", "zennet-0.1ms", "zennet-400m-se")
SEED = 2000
Part = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="nvidia")
    parser.add_argument("--precision", help="default: the card's")
    parser.add_argument("--batch", type=int, help="default: the card's")
    parser.add_argument("--blocks", type=int, default=100)
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=16, help="of every Zen-Score")
    parser.add_argument("--out", type=Path, default=Path("runs/gpu_check"))
    options = parser.parse_args(arguments)
    try:
        needs = {name: runtime_needs(options.device, name) for name in card(options.device).runtimes}
    except ZenbenchError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    ready = [name for name, found in needs.items() if all(need["met"] for need in found)]
    if not ready:
        print(f"Error: device '{options.device}' is not ready: {why_not(needs)}", file=sys.stderr)
        return 3
    make_folder(options.out)
    out = options.out / "gpu_check.json"
    parts: dict[str, Part] = {}
    report = {"device": options.device, "requirements": needs, "parts": parts}
    for name in needs:
        parts[name] = run_part(lambda name=name: check_runtime(name, options))
        write_json(out, report)
    parts["zen_score"] = run_part(lambda: zen_passes(options.repeats))
    write_json(out, report)
    print(f"{out}: {', '.join(map(summary, parts.items()))}")
    return 0 if all("error" not in part for part in parts.values()) else 1


def runtime_needs(name: str, runtime: str) -> list[dict[str, Any]]:
    return [asdict(need) for need in device(name, runtime).requirements()]


def why_not(needs: dict[str, list[dict[str, Any]]]) -> str:
    """The first thing that is missing for each runtime."""
    missing: dict[str, list[str]] = {}
    for runtime, found in needs.items():
        need = next(need for need in found if not need["met"])
        missing.setdefault(f"{need['name']} ({need['found']}): {need['advice']}", []).append(runtime)
    return "; ".join(f"for {' and '.join(runtimes)}, {what}" for what, runtimes in missing.items())


def run_part(part: Callable[[], Part]) -> Part:
    """What a part found and how long it took; a failure of any kind is a record, and the others go on."""
    start = perf_counter()
    try:
        found = part()
    except Exception as error:  # noqa: BLE001 - a GPU is lent once: no part may keep another from running
        found = {"error": f"{type(error).__name__}: {error}"}
    return {**found, "seconds": round(perf_counter() - start, 1)}


def check_runtime(runtime: str, options: argparse.Namespace) -> Part:
    """One runtime: its table, whole networks, predicted against measured."""
    driver = device(options.device, runtime)
    setting = driver.setting(SettingRequest(runtime, options.precision, options.batch))
    folder = options.out / runtime
    table, failed = profiled(driver, setting, options.blocks, folder / "table.csv")
    stream = random_networks(sources(*spaces().values()), RESOLUTIONS, SEED)
    networks = list(islice((one for one in stream if one not in table.networks), options.networks))
    model = TableModel(table)
    return {
        "setting": str(setting),
        "identity": dict(driver.identity()),
        "versions": dict(driver.versions()),
        "blocks": len(table.rows),
        "failed": failed,
        "verdicts": Counter(row.verdict for row in table.rows.values()),
        "spread_median": median(row.spread for row in table.rows.values()),
        "reference_ms": table.card.reference_ms,
        "bias_of_sum": model.calibration.bias_of_sum,
        **compared(driver, setting, networks, model, folder),
    }


def profiled(
    driver: Device, setting: Setting, blocks: int, path: Path
) -> tuple[LatencyTable, dict[str, str]]:
    """A table of so many blocks, and what failed on the way; an interrupted one goes on."""
    with Journal(journal_path(path)) as journal:
        recipe = profile_recipe(driver)
        items = plan(sources(), RESOLUTIONS, 0, journal.history)
        profile(driver, setting, items, journal, recipe, Limits(blocks))
        table = build_table(journal.history)
        failed = {one.subject: one.error for one in journal.history.measurements if one.error is not None}
    table.save(path)
    return table, failed


def compared(
    driver: Device, setting: Setting, networks: list[Network], model: TableModel, folder: Path
) -> Part:
    with Journal(journal_path(folder / "measured.csv")) as journal:
        recipe = RECIPE.adapted(card(driver.name).recipe)
        measured = measure(driver, setting, networks, journal, recipe=recipe)
    write_rows(folder / "measured.csv", measured)
    predicted = predict(model, networks)
    write_rows(folder / "predicted.csv", predicted)
    return {"agreement": asdict(agree(measured, predicted))}


def zen_passes(repeats: int) -> Part:
    """The time of a Zen-Score's two passes, by network; the first score, which warms up, is left out."""
    import torch
    from zenbench.zen.proxies.zen_score import zen_samples

    found = {}
    for name in SCORED:
        graph = zoo(name).graph()
        zen_samples(graph)
        samples = zen_samples(graph, repeats=repeats)
        found[name] = {
            "paper_median": median(samples.paper),
            "ms_per_repeat": samples.seconds * 1e3 / repeats,
        }
    return {"where": "cuda" if torch.cuda.is_available() else "cpu", "scores": found}


def summary(part: tuple[str, Part]) -> str:
    name, found = part
    if "error" in found:
        return f"{name} failed ({found['error']})"
    agreement = found.get("agreement")
    return f"{name} predicts to {agreement['mape']:.1%}" if agreement else f"{name} done"


if __name__ == "__main__":
    sys.exit(main())
