"""Export: a network with its weights as an ONNX file, checked against torch."""

from __future__ import annotations

from pathlib import Path

from ...devices.base import Artifact
from ...zen.network import Network
from ..subjects import WEIGHT_SEED, state_arrays
from .onnx import write_onnx
from .parity import Parity, check_onnx


def export_onnx(
    network: Network, path: Path, weights: Path | None = None, batch: int = 1
) -> tuple[Artifact, Parity]:
    """Writes the file with the weights of a torch state dict, or seeded ones, and checks it."""
    from ...zen.module import build_module, initialise, load_weights

    module = build_module(network.graph())
    if weights is None:
        initialise(module, WEIGHT_SEED)
    else:
        load_weights(module, weights)
    artifact = write_onnx(network.graph(), state_arrays(module), path, batch, network)
    return artifact, check_onnx(path, module, artifact.inputs[0].shape)
