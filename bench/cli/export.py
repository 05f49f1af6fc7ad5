"""`zenbench export`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
import numpy as np

from ...atomic import write_json
from ...devices.base import Artifact
from ...errors import UserError
from ...zen.graph_network import AnyNetwork
from ..data_sets.data_set import check_size
from ..data_sets.reading import names_data, open_data
from ..data_sets.statistics import ChannelStatistics
from ..evaluating.subjects import statistics_of
from ..export.checked import export_onnx, export_tflite
from ..export.parity import Parity
from ..export.tflite_quantise import read_batches
from ..export.weights import Array
from ..export.weights_file import read_weights, trained_sizes, weights_digest
from ..networks.model_file import FileSubject
from ..networks.named.weights import takes_weights
from ..networks.reading import as_networks, read
from .shared.options import FILE, format_option
from .shared.output import Column, OutputRecord, answer, say

CALIBRATING_IMAGES = 256
COLUMNS = (
    Column("path", "file", right=False),
    Column("digest", "network"),
    Column("batch", "batch"),
    Column("precision", "precision", right=False),
    Column("max_error", "largest error", lambda v: f"{v:.2g}"),
    Column("relative_error", "relative error", lambda v: f"{v:.2g}"),
    Column("snr_db", "signal to noise", lambda v: f"{v:.1f} dB"),
)


@click.command("export")
@click.argument("network")
@click.option("--onnx", type=FILE, help="The ONNX file to write.")
@click.option("--tflite", type=FILE, help="The TFLite file to write.")
@click.option("--fp16", is_flag=True, help="All tensors in fp16 (ONNX), or the weights (TFLite).")
@click.option("--int8", is_flag=True, help="All in int8, input and output too.")
@click.option(
    "--calibrate",
    help="What int8 takes its ranges from: a data set, as cifar10:DIR, or images as the network takes them, "
    "a .npy or .npz file of shape (K, C, H, W); default Gaussian images.",
)
@click.option("--weights", type=FILE, help="What train wrote, or a torch state dict; default seeded weights.")
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True)
@click.option("--resolution", type=click.IntRange(1, 4096), help="Input height and width.")
@click.option("--classes", type=click.IntRange(1), help="Outputs of the classifier.")
@format_option
def command(
    network: str,
    onnx: Path | None,
    tflite: Path | None,
    fp16: bool,
    int8: bool,
    calibrate: str | None,
    weights: Path | None,
    batch: int,
    resolution: int | None,
    classes: int | None,
    style: str,
) -> int:
    """Write a network as an ONNX or TFLite file, or both, and check it against torch.

    The check's errors are stored beside each in FILE.json. Exit code 1 where they are too large.
    """
    _check(onnx, tflite, fp16, int8, calibrate)
    precision = "fp16" if fp16 else "int8" if int8 else "fp32"
    sizes = (None, None) if weights is None else trained_sizes(weights)
    item = read(network, resolution or sizes[0], classes or sizes[1])
    for path in filter(None, (onnx, tflite)):
        if isinstance(item, FileSubject) and path.exists() and path.samefile(item.path):
            raise UserError(f"{path} is the network itself; choose another file to write")
    (found,) = as_networks([item])
    images = [] if calibrate is None else _images(calibrate, found, weights, batch)
    separate = None if weights is not None and takes_weights(found, weights) else weights
    written = []
    if onnx:
        written.append(export_onnx(found, onnx, separate, batch, precision, images))
    if tflite:
        written.append(export_tflite(found, tflite, separate, batch, precision, images))
    answer([write_parity(found, artifact, parity, weights) for artifact, parity in written], COLUMNS, style)
    for artifact, parity in written:
        if not parity.holds:
            say(f"zenbench: {artifact.path} differs from torch by more than {parity.limit:g}, relative")
    return int(not all(parity.holds for _, parity in written))


def _check(onnx: Path | None, tflite: Path | None, fp16: bool, int8: bool, calibrate: str | None) -> None:
    if not onnx and not tflite:
        raise UserError("name the file to write: --onnx FILE, --tflite FILE or both")
    for name, path in (("onnx", onnx), ("tflite", tflite)):
        if path and path.suffix != f".{name}":
            raise UserError(f"--{name} {path} should end in .{name}")
    if fp16 and int8:
        raise UserError("a file has one precision: give --fp16 or --int8, not both")
    if calibrate and not int8:
        raise UserError("--calibrate is for int8 files; give --int8 too")


def _images(text: str, network: AnyNetwork, weights: Path | None, batch: int) -> list[Array]:
    """Batches to calibrate on: of a data set's training images, normalised as the weights' were."""
    if not names_data(text):
        return read_batches(Path(text), batch, network.graph().input_shape)
    data = open_data(text)
    check_size(data.train, network.resolution, data.name)
    card = None if weights is None else read_weights(weights)[1]
    statistics = statistics_of(card) or ChannelStatistics.of(data.train, network.resolution)
    total = len(data.train.labels)
    batches = min(max(2, CALIBRATING_IMAGES // batch), total // batch)
    if batches < 2:
        raise UserError(f"{text} has {total} training images; calibration takes two batches, {2 * batch}")
    # Every n-th image, so that a data set in the order of its classes gives all of them.
    numbers = np.arange(batches * batch) * total // (batches * batch)
    images = statistics.normalised(data.train.pixels(numbers, network.resolution))
    return np.split(images, batches)


def write_parity(
    network: AnyNetwork, artifact: Artifact, parity: Parity, weights: Path | None = None
) -> OutputRecord:
    """Stores what was exported, from which weights, and how well it agrees with torch in FILE.json beside the
    file."""
    path = artifact.path
    statistics = statistics_of(None if weights is None else read_weights(weights)[1])
    record = {
        "path": str(path),
        "network": str(network),
        "digest": network.digest,
        "resolution": network.resolution,
        "classes": network.classes,
        "sha256": artifact.sha256,
        "batch": artifact.batch,
        "scales": dict(artifact.scales),
        "weights": None if weights is None else str(weights.resolve()),
        "weights_sha256": None if weights is None else weights_digest(weights),
        **({} if statistics is None else asdict(statistics)),
        **asdict(parity),
        "snr_db": parity.snr_db,
    }
    write_json(path.with_name(path.name + ".json"), record)
    return record
