"""What can be evaluated: a network with weights, in torch, or a file in its runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, TypeGuard

from ...zen.network import Network
from ..data_sets.statistics import ChannelStatistics
from ..export.running import Runner
from ..export.weights import Array
from ..export.weights_file import read_weights, weights_digest

TORCH = "torch"


@dataclass(frozen=True)
class EvaluationSubject:
    """A network or a file. `run` takes normalised images, whole batches of them.

    `weights_sha256`: of the file that its weights come from, and `statistics`: those that its images were
    normalised by in training; None where nobody says so.
    """

    name: str
    digest: str
    weights_sha256: str | None
    runtime: str
    precision: str
    resolution: int
    classes: int
    batch: int
    statistics: ChannelStatistics | None
    run: Runner


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
        weights_sha256=weights_digest(weights),
        runtime=TORCH,
        precision="fp32",
        resolution=network.resolution,
        classes=network.classes,
        batch=1,
        statistics=statistics_of(card),
        run=run,
    )


def statistics_of(card: Mapping[str, Any] | None) -> ChannelStatistics | None:
    """What the card of weights, or the record of a file, says of them; None where that is of no use."""
    mean, std = ((card or {}).get(key) for key in ("mean", "std"))
    if not _three_numbers(mean) or not _three_numbers(std) or min(std) <= 0:
        return None
    return ChannelStatistics(mean, std)


def _three_numbers(values: Any) -> TypeGuard[list[float]]:
    return (
        isinstance(values, list)
        and len(values) == 3
        and all(isinstance(value, float | int) and isfinite(value) for value in values)
    )
