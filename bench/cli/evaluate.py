"""`zenbench evaluate`."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UserError
from ..data_sets.data_set import DataSet, first_images
from ..data_sets.reading import FORMS, open_data
from ..data_sets.statistics import ChannelStatistics
from ..export.weights_file import trained_sizes, weights_digest
from ..networks.reading import networks_only, read
from .shared.options import FILE, format_option
from .shared.output import Column, answer, label, say
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
@click.option("--weights", type=FILE, help="Of networks and files: what train wrote, or a torch state dict.")
@click.option("--images", type=click.IntRange(1), help="Only so many of the test images; default all.")
@format_option
def command(
    subjects: tuple[str, ...], data: str, weights: Path | None, images: int | None, style: str
) -> int:
    """Accuracy of a network or of its exported files on the test images of a data set.

    A network needs --weights and runs in torch. An ONNX file runs in ONNX Runtime, a TFLite file in LiteRT,
    in the precision that it holds; its loss is that of top-1 against torch, where the weights that it was
    exported with are still there, or given. A file of another program will do if it takes square images of
    three channels and gives a score a class.
    """
    from ..evaluating.accuracy import subject_accuracy

    opened = open_data(data)
    if images is not None:
        opened = first_images(opened, images)
    chosen = _chosen(subjects, weights)
    for one in chosen:
        _check_fit(one, opened)
    statistics = _statistics(chosen, opened)
    total, records = len(opened.test.labels), []
    with progress("evaluate", total * len(chosen)) as bar:
        for number, (one, by) in enumerate(zip(chosen, statistics, strict=True)):
            report = partial(_tell, bar, number * total, f"{one.runtime} {one.precision}")
            found = subject_accuracy(one, by, opened.test, report)
            records.append(
                {**_record(one), "data": data, **asdict(found), "standard_error": found.standard_error}
            )
    answer(_against_torch(chosen, records), COLUMNS, style)
    say(f"{total:,} test images of {data}")
    return 0


def _tell(bar: ProgressBar, before: int, note: str, done: int) -> None:
    bar(before + done, note)


def _chosen(texts: tuple[str, ...], weights: Path | None) -> list[EvaluationSubject]:
    """Every subject once; a file's network with its weights before it."""
    from ..evaluating.files import SUFFIXES, evaluated_file
    from ..evaluating.subjects import with_weights

    given = None if weights is None else weights_digest(weights)
    found: dict[tuple[str, str | None], EvaluationSubject] = {}
    for text in texts:
        if Path(text).suffix not in SUFFIXES:
            if weights is None:
                raise UserError(f"{text} is a network, and needs the --weights that it was trained to")
            (network,) = networks_only([read(text, *trained_sizes(weights))], "evaluated")
            found[network.digest, given] = with_weights(network, weights)
            continue
        file = evaluated_file(Path(text))
        one, origin = file.subject, file.weights
        if origin is None and (one.weights_sha256 == given or not file.recorded):
            origin = weights
        if origin is not None and file.network is not None:
            torch = with_weights(file.network, origin)
            found.setdefault((torch.digest, torch.weights_sha256), torch)
            statistics = one.statistics or torch.statistics
            one = replace(one, weights_sha256=torch.weights_sha256, statistics=statistics)
        found[text, None] = one
    if given is not None and all(one.weights_sha256 != given for one in found.values()):
        raise UserError(f"no network is named for {weights}, and no file was exported with it")
    return list(found.values())


def _statistics(subjects: list[EvaluationSubject], data: DataSet) -> list[ChannelStatistics]:
    """What images are normalised by for each subject; the training images' own where nothing says it."""
    unknown = [one for one in subjects if one.statistics is None]
    if unknown:
        names = ", ".join(label(one.name) for one in unknown)
        say(f"evaluate: nothing says how images are normalised for {names}; {data.name}'s statistics serve")
        own = ChannelStatistics.of(data.train, unknown[0].resolution)
    return [one.statistics or own for one in subjects]


def _check_fit(subject: EvaluationSubject, data: DataSet) -> None:
    size, own = data.test.size(), subject.resolution
    if size is not None and size != (own, own):
        raise UserError(
            f"the images of {data.name} are {size[0]} x {size[1]}, but {subject.name} takes {own} x {own}"
        )
    if data.classes > subject.classes:
        raise UserError(
            f"{data.name} has {data.classes} classes, but {subject.name} tells {subject.classes} apart"
        )


def _record(subject: EvaluationSubject) -> dict[str, Any]:
    return {
        "label": label(subject.name),
        "evaluated": subject.name,
        **{key: getattr(subject, key) for key in ("digest", "runtime", "precision")},
    }


def _against_torch(subjects: list[EvaluationSubject], records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records, with what a file loses against its network with the same weights."""
    from ..evaluating.subjects import TORCH

    keys = [(one.digest, one.weights_sha256) for one in subjects]
    pairs = list(zip(keys, records, strict=True))
    top1 = {key: record["top1"] for key, record in pairs if record["runtime"] == TORCH}
    for key, record in pairs:
        if record["runtime"] != TORCH and key in top1:
            record["loss"] = top1[key] - record["top1"]
    return records
