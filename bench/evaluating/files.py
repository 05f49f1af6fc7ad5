"""Files that can be evaluated: those that zenbench exported, and classifiers of other programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ...zen.network import Network
from ..export.running import onnx_runner, tflite_runner
from ..export.weights_file import weights_digest
from ..networks.model_file import FileSubject
from .subjects import EvaluationSubject, statistics_of

SUFFIXES = (".onnx", ".tflite")


@dataclass(frozen=True)
class EvaluatedFile:
    """A file in its runtime, and the network in it where zenbench wrote it.

    `recorded`: whether export's FILE.json is beside it. `weights`: what it was exported with, where that is
    still there and still the same.
    """

    subject: EvaluationSubject
    network: Network | None
    recorded: bool
    weights: Path | None


def evaluated_file(path: Path) -> EvaluatedFile:
    """An ONNX file in onnxruntime, a TFLite file in LiteRT.

    Raises UserError where it is damaged, or takes something else than square images of three channels, or
    gives something else than a score a class; DeviceError where its runtime is missing or refuses it.
    """
    file = FileSubject.read(path)
    batch, resolution = _form(file)
    run = onnx_runner(path) if file.format == "onnx" else tflite_runner(path)
    record = _record(file)
    weights = Path(record["weights"]) if isinstance(record.get("weights"), str) else None
    subject = EvaluationSubject(
        name=str(path),
        digest=file.digest,
        weights_sha256=record.get("weights_sha256"),
        runtime="onnxruntime" if file.format == "onnx" else "litert",
        precision=file.precision,
        resolution=resolution,
        classes=_classes(path, run(np.zeros((batch, 3, resolution, resolution), np.float32)).shape, batch),
        batch=batch,
        statistics=statistics_of(record),
        run=run,
    )
    same = weights and weights.is_file() and weights_digest(weights) == subject.weights_sha256
    return EvaluatedFile(subject, file.network, bool(record), weights if same else None)


def _form(file: FileSubject) -> tuple[int, int]:
    """Batch and resolution; a batch that the file leaves free is one image."""
    extents = file.inputs[0].extents if file.inputs else ()
    if len(file.inputs) == 1 and len(extents) == 4 and 3 in (extents[1], extents[3]):
        height, width = extents[2:] if extents[1] == 3 else extents[1:3]
        if isinstance(height, int) and height == width and height > 0:
            return max(1, extents[0]) if isinstance(extents[0], int) else 1, height
    shapes = " and ".join("x".join(str(extent) for extent in one.extents) for one in file.inputs)
    raise UserError(
        f"{file} takes {shapes or 'nothing'}; what is evaluated takes square images of "
        "three channels and a fixed size"
    )


def _classes(path: Path, shape: tuple[int, ...], batch: int) -> int:
    if len(shape) < 2 or shape[0] != batch or prod(shape[2:]) != 1:
        raise UserError(f"{path} gives {'x'.join(map(str, shape))} for batch {batch}, not a score a class")
    return shape[1]


def _record(file: FileSubject) -> Mapping[str, Any]:
    """What export wrote beside the file; empty where that is missing, or of another file."""
    try:
        found = json.loads(file.path.with_name(f"{file.path.name}.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and found.get("sha256") == file.sha256 else {}
