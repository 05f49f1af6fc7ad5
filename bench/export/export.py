"""Export: a network with its weights as an ONNX or TFLite file, checked against torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...devices.base import Artifact
from ...zen.network import Network
from ..subjects import WEIGHT_SEED, state_arrays
from .parity import Parity, check_onnx, check_tflite, gaussian

_IMAGES = 8


def export_onnx(
    network: Network, path: Path, weights: Path | None = None, batch: int = 1
) -> tuple[Artifact, Parity]:
    """Writes the file with the weights of a torch state dict, or seeded ones, and checks it."""
    from .onnx import write_onnx

    module = _module(network, weights)
    artifact = write_onnx(network.graph(), state_arrays(module), path, batch, network)
    return artifact, check_onnx(path, module, artifact.inputs[0].shape)


def export_tflite(
    network: Network,
    path: Path,
    weights: Path | None = None,
    batch: int = 1,
    precision: str = "fp32",
    calibrate: Path | None = None,
) -> tuple[Artifact, Parity]:
    """As `export_onnx`. `calibrate` holds images for int8 (see `read_batches`); a fifth of them, one batch
    at least, is kept for the check."""
    from .quantise import read_batches
    from .tflite import write_tflite

    graph = network.graph()
    channels, height, width = graph.input_shape
    batches = read_batches(calibrate, (batch, height, width, channels)) if calibrate else []
    kept = max(1, len(batches) // 5)
    module = _module(network, weights)
    state = state_arrays(module)
    artifact = write_tflite(graph, state, path, batch, network, precision, batches[:-kept])
    if batches:
        x = np.moveaxis(np.concatenate(batches[-kept:]), -1, 1)
    else:  # how much noise there is varies from image to image; rounding errors do not
        x = gaussian((batch if precision == "fp32" else _IMAGES * batch, *graph.input_shape))
    return artifact, check_tflite(path, module, x, precision)


def _module(network: Network, weights: Path | None) -> Any:
    from ...zen.module import build_module, initialise, load_weights

    module = build_module(network.graph())
    if weights is None:
        initialise(module, WEIGHT_SEED)
    else:
        load_weights(module, weights)
    return module
