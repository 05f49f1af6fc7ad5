"""What can be evaluated: a network with weights, in torch, and the files that it was exported to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...zen.network import Network
from ..data_sets.statistics import ChannelStatistics
from ..export.running import Runner, onnx_runner, tflite_runner
from ..export.weights import Array
from ..export.weights_file import read_weights

SUFFIXES = (".onnx", ".tflite")
TORCH = "torch"


@dataclass(frozen=True)
class EvaluationSubject:
    """A network or a file. `run` takes normalised images, whole batches of them.

    `statistics`: those its weights were trained with, where anybody says so.
    """

    name: str
    digest: str
    runtime: str
    precision: str
    resolution: int
    classes: int
    batch: int
    statistics: ChannelStatistics | None
    run: Runner


@dataclass(frozen=True)
class Exported:
    """A file, the network in it, and the weights that it was exported with, where they are still there."""

    subject: EvaluationSubject
    network: str
    weights: Path | None


def with_weights(network: Network, weights: Path) -> EvaluationSubject:
    """The network in torch, in fp32; raises UserError where the weights are of another one."""
    import torch

    from ...zen.module import build_module, load_state

    tensors, card = read_weights(weights)
    module = build_module(network.graph())
    load_state(module, tensors, weights)
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(x: Array) -> Array:
        with torch.no_grad():
            answer: Array = module(torch.from_numpy(x)).numpy()
        return answer

    return EvaluationSubject(
        name=network.name or str(network),
        digest=network.digest,
        runtime=TORCH,
        precision="fp32",
        resolution=network.resolution,
        classes=network.classes,
        batch=1,
        statistics=statistics_of(card),
        run=run,
    )


def exported(path: Path) -> Exported:
    """A file that zenbench exported, in its own runtime.

    Raises UserError where the file is missing, or the record beside it, or either is not of this version.
    """
    beside = path.with_name(path.name + ".json")
    if not path.is_file():
        raise UserError(f"there is no file {path}")
    try:
        record: dict[str, Any] = json.loads(beside.read_text("utf-8"))
        is_onnx = path.suffix == ".onnx"
        subject = EvaluationSubject(
            name=str(path),
            digest=record["digest"],
            runtime="onnxruntime" if is_onnx else "litert",
            precision=record["precision"],
            resolution=record["resolution"],
            classes=record["classes"],
            batch=record["batch"],
            statistics=statistics_of(record),
            run=onnx_runner(path, record["scales"]) if is_onnx else tflite_runner(path),
        )
        weights = record["weights"]
        return Exported(subject, record["network"], weights and Path(weights))
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        raise UserError(
            f"{beside} is missing or not of this version; write the file again with zenbench export"
        ) from None


def statistics_of(card: Mapping[str, Any] | None) -> ChannelStatistics | None:
    """What the card of weights, or the record of a file, says of them."""
    if card is None or not card.get("mean") or not card.get("std"):
        return None
    return ChannelStatistics(card["mean"], card["std"])
