"""`zenbench export`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ...atomic import write_json
from ...devices.base import Artifact
from ...errors import UserError
from ...zen.network import Network
from ..export.checked import export_onnx, export_tflite
from ..export.parity import Parity
from ..networks.reading import networks_only, read
from .shared.options import FILE, format_option
from .shared.output import Column, OutputRecord, answer, say

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
    type=FILE,
    help="Images that int8 takes its ranges from, .npy or .npz of shape (K, C, H, W); default Gaussian ones.",
)
@click.option("--weights", type=FILE, help="A torch state dict; default seeded weights.")
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
    calibrate: Path | None,
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
    found = networks_only([read(network, resolution, classes)], "exported")[0]
    written = []
    if onnx:
        written.append(export_onnx(found, onnx, weights, batch, precision, calibrate))
    if tflite:
        written.append(export_tflite(found, tflite, weights, batch, precision, calibrate))
    answer([write_parity(found, artifact, parity) for artifact, parity in written], COLUMNS, style)
    for artifact, parity in written:
        if not parity.holds:
            say(f"zenbench: {artifact.path} differs from torch by more than {parity.limit:g}, relative")
    return int(not all(parity.holds for _, parity in written))


def _check(onnx: Path | None, tflite: Path | None, fp16: bool, int8: bool, calibrate: Path | None) -> None:
    if not onnx and not tflite:
        raise UserError("name the file to write: --onnx FILE, --tflite FILE or both")
    for name, path in (("onnx", onnx), ("tflite", tflite)):
        if path and path.suffix != f".{name}":
            raise UserError(f"--{name} {path} should end in .{name}")
    if fp16 and int8:
        raise UserError("a file has one precision: give --fp16 or --int8, not both")
    if calibrate and not int8:
        raise UserError("--calibrate is for int8 files; give --int8 too")


def write_parity(network: Network, artifact: Artifact, parity: Parity) -> OutputRecord:
    """Stores what was exported and how well it agrees with torch in FILE.json beside the file."""
    path = artifact.path
    record = {
        "path": str(path),
        "network": str(network),
        "digest": network.digest,
        "sha256": artifact.sha256,
        "batch": artifact.batch,
        "scales": dict(artifact.scales),
        **asdict(parity),
        "snr_db": parity.snr_db,
    }
    write_json(path.with_name(path.name + ".json"), record)
    return record
