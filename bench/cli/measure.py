"""`zenbench measure`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ...devices.base import Device, Setting
from ...devices.card import card
from ...errors import DeviceError, UserError
from ...quantities import count_of, format_ms
from ..export.weights_file import trained_sizes
from ..latency_files.latency_rows import LatencyRow, write_rows
from ..measuring.journal import Journal, journal_path
from ..measuring.layers import Inspection, inspect
from ..measuring.subjects import Subject, TrainedSubject, subject_of
from ..measuring.whole_networks import RECIPE, measure
from ..networks.model_file import FileSubject
from ..networks.reading import NetworkLike
from .shared.options import (
    FILE,
    SHAPE,
    chosen_device,
    chosen_networks,
    format_option,
    measuring_options,
    network_options,
    per_image_option,
)
from .shared.output import NETWORK_COLUMN, Column, OutputRecord, answer, row_record, say, show_table
from .shared.progress import progress

COLUMNS = (
    NETWORK_COLUMN,
    Column("latency_ms", "latency", format_ms),
    Column("latency_per_image_ms", "per image", format_ms),
    Column("std_ms", "std", format_ms),
    Column("spread", "spread of rounds", lambda v: f"{v:.1%}"),
    Column("rounds", "rounds"),
    Column("runs", "runs"),
    Column("upload_ms", "upload", format_ms),
    Column("download_ms", "download", format_ms),
    Column("verdict", "verdict", right=False),
    Column("error", "error", right=False),
)
LAYER_COLUMNS = (
    NETWORK_COLUMN,
    Column("layer", "layer", right=False),
    Column("ms", "alone", format_ms),
    Column("share", "share", lambda v: f"{v:.1%}"),
)


@click.command("measure")
@network_options
@measuring_options
@per_image_option
@click.option(
    "--layers",
    is_flag=True,
    help="Also what each layer takes, and the transfers, which no latency contains (TensorRT).",
)
@click.option(
    "--shape",
    "shapes",
    type=SHAPE,
    multiple=True,
    help="The shape of an input that an ONNX file leaves free, as in ids=1x128; once for each input.",
)
@click.option("--weights", type=FILE, help="Of one network: what train wrote, or a torch state dict.")
@click.option("--out", type=FILE, default="measured.csv", show_default=True, help="Where the rows go.")
@format_option
def command(
    device: str,
    per_image: bool,
    layers: bool,
    shapes: tuple[tuple[str, tuple[int, ...]], ...],
    weights: Path | None,
    out: Path,
    style: str,
    **options: Any,
) -> int:
    """Latency of whole networks, measured on a device in interleaved rounds.

    An ONNX or TFLite file is measured in the precision that it holds. All raw samples are kept in OUT's
    journal. Exit code 3 where a network could not be measured.
    """
    if len(dict(shapes)) < len(shapes):
        raise UserError("--shape names an input twice; give each once")
    if weights is not None:
        for name, size in zip(("resolution", "classes"), trained_sizes(weights), strict=True):
            options[name] = options[name] or size
    given = _with_shapes(chosen_networks(options), dict(shapes))
    files = [item for item in given if isinstance(item, FileSubject)]
    held = {item.precision for item in files}
    if options["precision"] is None and len(files) == len(given) and len(held) == 1:
        (options["precision"],) = held
    driver, setting = chosen_device(device, options)
    for item in files:
        item.inputs_in(setting)
    items = list(dict.fromkeys(given))
    # First, so that a runtime that cannot tell says so before anything is measured.
    inspected = [inspect(driver, setting, item) for item in items] if layers else None
    rows = run_measure(driver, setting, items, out, _subjects(items, weights))
    records = [row_record(row, item) for row, item in zip(rows, items, strict=True)]
    if inspected is not None:
        records = [_with_inspection(*pair) for pair in zip(records, inspected, strict=True)]
    answer(records, [c for c in COLUMNS if per_image or setting.batch > 1 or c.heading != "per image"], style)
    if inspected is not None and style == "table":
        show_table([layer for record in records for layer in _layers(record)], LAYER_COLUMNS)
    return 3 if any(record.get("error") for record in records) else 0


def _subjects(items: Sequence[NetworkLike], weights: Path | None) -> Callable[[NetworkLike], Subject]:
    """What is timed: the one network with its weights, where there are some."""
    if weights is None:
        return subject_of
    if len(items) != 1 or isinstance(items[0], FileSubject):
        raise UserError("--weights belong to one network; name that alone, by its structure or name")
    subject = TrainedSubject.of(items[0], weights)
    return lambda item: subject


def _with_shapes(given: list[NetworkLike], shapes: Mapping[str, tuple[int, ...]]) -> list[NetworkLike]:
    """The networks, the files among them with these shapes of their inputs."""
    names = {one.name for item in given if isinstance(item, FileSubject) for one in item.inputs}
    for name in shapes:
        if name not in names:
            known = f"they have {', '.join(sorted(names))}" if names else "none is given"
            raise UserError(f"no file has an input '{name}' for --shape; {known}")
    return [item.shaped(shapes) if isinstance(item, FileSubject) else item for item in given]


def _with_inspection(record: OutputRecord, found: Inspection | DeviceError) -> OutputRecord:
    if isinstance(found, DeviceError):
        return {"error": str(found), **record}
    return {**record, **asdict(found)}


def _layers(record: OutputRecord) -> Iterator[OutputRecord]:
    layers = record.get("layers", {})
    for layer, ms in layers.items():
        yield {"label": record["label"], "layer": layer, "ms": ms, "share": ms / sum(layers.values())}


def run_measure(
    driver: Device,
    setting: Setting,
    given: Sequence[NetworkLike],
    out: Path,
    subject_of: Callable[[NetworkLike], Subject] = subject_of,
) -> list[LatencyRow]:
    """Measures with a progress display and writes the rows; `subject_of`: what is timed of a network."""
    recipe = RECIPE.adapted(card(driver.name).recipe)
    say(f"measuring {count_of(len(given), 'network')} on {setting.device} {setting}")
    with Journal(journal_path(out)) as journal, progress("measure", len(given) * recipe.rounds) as meter:

        def report(rounds: int) -> None:
            meter(rounds, f"{rounds} rounds")

        rows = measure(driver, setting, given, journal, report, recipe, subject_of)
    write_rows(out, rows)
    say(f"{out}: {count_of(len(rows), 'network')}")
    return rows
