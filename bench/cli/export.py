"""`zenbench export`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ...atomic import write_json
from ...devices.base import Artifact
from ...errors import UserError
from ...zen.network import Network
from ..export.export import export_onnx
from ..export.parity import RELATIVE_LIMIT, Parity
from ..networks import networks_only, read
from .options import FILE, format_option
from .output import Column, Record, answer, say

COLUMNS = (
    Column("path", "file", right=False),
    Column("digest", "network"),
    Column("batch", "batch"),
    Column("max_error", "largest error", lambda v: f"{v:.2g}"),
    Column("relative_error", "relative error", lambda v: f"{v:.2g}"),
)


@click.command("export")
@click.argument("network")
@click.option("--onnx", type=FILE, required=True, help="The file to write.")
@click.option("--weights", type=FILE, help="A torch state dict; default seeded weights.")
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True)
@click.option("--resolution", type=click.IntRange(1, 4096), help="Input height and width.")
@click.option("--classes", type=click.IntRange(1), help="Outputs of the classifier.")
@format_option
def command(
    network: str,
    onnx: Path,
    weights: Path | None,
    batch: int,
    resolution: int | None,
    classes: int | None,
    style: str,
) -> int:
    """Write a network as an ONNX file and check it against torch.

    The check's errors are stored beside it in FILE.json. Exit code 1 where they are too large.
    """
    found = networks_only([read(network, resolution, classes)], "exported")[0]
    if onnx.suffix != ".onnx":
        raise UserError(f"--onnx {onnx} should end in .onnx")
    artifact, parity = export_onnx(found, onnx, weights, batch)
    answer([write_parity(found, artifact, parity)], COLUMNS, style)
    if not parity.holds:
        say(f"zenbench: {onnx} differs from torch by more than {RELATIVE_LIMIT:g}, relative")
    return int(not parity.holds)


def write_parity(network: Network, artifact: Artifact, parity: Parity) -> Record:
    """Stores what was exported and how well it agrees with torch in FILE.json beside the file."""
    path = artifact.path
    record = {
        "path": str(path),
        "network": str(network),
        "digest": network.digest,
        "sha256": artifact.sha256,
        "batch": artifact.batch,
        **asdict(parity),
    }
    write_json(path.with_name(path.name + ".json"), record)
    return record
