"""`zenbench evaluate`."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UserError
from ..data_sets.data_set import DataSet, check_size, first_images
from ..data_sets.reading import FORMS, open_data
from ..data_sets.statistics import ChannelStatistics
from ..export.weights_file import trained_sizes
from ..networks.reading import networks_only, read
from .shared.options import FILE, format_option
from .shared.output import LABEL_WIDTH, Column, answer, say
from .shared.progress import ProgressBar, progress

if TYPE_CHECKING:
    from ..evaluating.subjects import EvaluationSubject

COLUMNS = (
    Column("label", "evaluated", right=False),
    Column("runtime", "runtime", right=False),
    Column("precision", "precision", right=False),
    Column("top1", "top-1", lambda v: f"{v:.2%}"),
    Column("standard_error", "+-", lambda v: f"{v:.2%}"),
    Column("top5", "top-5", lambda v: f"{v:.2%}"),
    Column("loss", "loss", lambda v: f"{v:.2%}"),
)


@click.command("evaluate")
@click.argument("subjects", nargs=-1, required=True, metavar="FILE|NETWORK...")
@click.option("--data", required=True, help=f"Labelled images: {FORMS}.")
@click.option("--weights", type=FILE, help="Of a network: what train wrote, or a torch state dict.")
@click.option("--images", type=click.IntRange(1), help="Only so many of the test images; default all.")
@format_option
def command(
    subjects: tuple[str, ...], data: str, weights: Path | None, images: int | None, style: str
) -> int:
    """Accuracy of a network or of its exported files on the test images of a data set.

    A network needs --weights and runs in torch. An ONNX file runs in ONNX Runtime, a TFLite file in LiteRT,
    in the precision that it holds; its loss is that of top-1 against torch, where the weights that it was
    exported with are still there.
    """
    from ..evaluating.accuracy import subject_accuracy

    opened = open_data(data)
    if images is not None:
        opened = first_images(opened, images)
    chosen = _chosen(subjects, weights)
    for one in chosen:
        _check_fit(one, opened)
    unknown = next((one.resolution for one in chosen if one.statistics is None), None)
    # Of no use where every subject has its own.
    statistics = ChannelStatistics.of(opened.train, unknown) if unknown else ChannelStatistics([], [])
    total, records = len(opened.test.labels), []
    with progress("evaluate", total * len(chosen)) as bar:
        for number, one in enumerate(chosen):
            report = partial(_tell, bar, number * total, f"{one.runtime} {one.precision}")
            found = subject_accuracy(one, opened.test, statistics, report)
            records.append(
                {**_record(one), "data": data, **asdict(found), "standard_error": found.standard_error}
            )
    answer(_against_torch(records), COLUMNS, style)
    say(f"{total:,} test images of {data}")
    return 0


def _tell(bar: ProgressBar, before: int, note: str, done: int) -> None:
    bar(before + done, note)


def _chosen(texts: tuple[str, ...], weights: Path | None) -> list[EvaluationSubject]:
    """Every subject once; a file's network with its weights before it."""
    from ..evaluating.subjects import SUFFIXES, exported, with_weights

    found: dict[tuple[str, str], EvaluationSubject] = {}
    for text in texts:
        if Path(text).suffix in SUFFIXES:
            file = exported(Path(text))
            if file.weights is not None and file.weights.is_file():
                one = file.subject
                (network,) = networks_only([read(file.network, one.resolution, one.classes)], "evaluated")
                found.setdefault((network.digest, str(file.weights)), with_weights(network, file.weights))
            found[text, ""] = file.subject
            continue
        if weights is None:
            raise UserError(f"{text} is a network, and needs the --weights that it was trained to")
        (network,) = networks_only([read(text, *trained_sizes(weights))], "evaluated")
        found[network.digest, str(weights)] = with_weights(network, weights)
    return list(found.values())


def _check_fit(subject: EvaluationSubject, data: DataSet) -> None:
    check_size(data.test, subject.resolution, data.name)
    if data.classes > subject.classes:
        raise UserError(
            f"{data.name} has {data.classes} classes, but {subject.name} tells {subject.classes} apart"
        )


def _record(subject: EvaluationSubject) -> dict[str, Any]:
    name = subject.name
    return {
        "label": name if len(name) <= LABEL_WIDTH else f"{name[:30]} ... {name[-17:]}",
        "evaluated": name,
        **{key: getattr(subject, key) for key in ("digest", "runtime", "precision")},
    }


def _against_torch(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    from ..evaluating.subjects import TORCH

    top1 = {record["digest"]: record["top1"] for record in records if record["runtime"] == TORCH}
    for record in records:
        if record["runtime"] != TORCH and record["digest"] in top1:
            record["loss"] = top1[record["digest"]] - record["top1"]
    return records
