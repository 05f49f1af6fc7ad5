"""`zenbench measure`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from math import isfinite, nan
from pathlib import Path
from typing import Any, TypeVar

import click

from ...devices.base import Device, RemoteDevice, Setting
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
from .shared.file_inputs import with_inputs
from .shared.options import (
    FILE,
    chosen_device,
    chosen_networks,
    format_option,
    measuring_options,
    network_options,
    per_image_option,
)
from .shared.output import NETWORK_COLUMN, Column, OutputRecord, answer, row_record, say, show_table
from .shared.progress import progress

T = TypeVar("T")

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


class _Value(click.ParamType[tuple[str, float]]):
    """An input's name and the number that fills it: `sr=16000`."""

    name = "name=number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        name, _, text = str(value).rpartition("=")
        try:
            number = int(text) if _WHOLE.fullmatch(text) else float(text)
        except ValueError:
            number = nan
        if not name or not isfinite(number):
            self.fail(f"'{value}' is no input with its number; write one as NAME=16000")
        return name, number


_WHOLE = re.compile(r"[+-]?[0-9]{1,20}")


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
    "--input",
    "values",
    type=_Value(),
    multiple=True,
    help="The number that fills an input of an ONNX or TFLite file, as in sr=16000; once for each input. "
    "Others get random ones.",
)
@click.option("--weights", type=FILE, help="Of one network: what train wrote, or a torch state dict.")
@click.option("--out", type=FILE, default="measured.csv", show_default=True, help="Where the rows go.")
@format_option
def command(
    device: str,
    per_image: bool,
    layers: bool,
    values: tuple[tuple[str, float], ...],
    weights: Path | None,
    out: Path,
    style: str,
    **options: Any,
) -> int:
    """Latency of whole networks, measured on a device in interleaved rounds.

    An ONNX or TFLite file is measured in the precision that it holds. All raw samples are kept in OUT's
    journal. Exit code 3 where a network could not be measured.
    """
    if weights is not None:
        for name, size in zip(("resolution", "classes"), trained_sizes(weights), strict=True):
            options[name] = options[name] or size
    given = with_inputs(chosen_networks(options), "--input", values, FileSubject.valued)
    files = [item for item in given if isinstance(item, FileSubject)]
    held = {item.precision for item in files}
    if options["precision"] is None and len(files) == len(given) and len(held) == 1:
        (options["precision"],) = held
    driver, setting = chosen_device(device, options)
    for item in files:
        item.inputs_in(setting)
    if values and isinstance(driver, RemoteDevice):
        raise UserError(
            f"{driver.name} fills inputs by itself; leave --input out, or measure on another device"
        )
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
            meter(rounds, count_of(rounds, "round"))

        rows = measure(driver, setting, given, journal, report, recipe, subject_of)
    write_rows(out, rows)
    say(f"{out}: {count_of(len(rows), 'network')}")
    return rows
