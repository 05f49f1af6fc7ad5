"""Checked export: a network with its weights as an ONNX or TFLite file, checked against torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...devices.base import Artifact
from ...zen.graph_network import AnyNetwork, GraphNetwork
from ...zen.network import Network
from .parity import Parity, check_onnx, check_tflite, gaussian
from .weights import Array, state_arrays
from .weights_file import read_weights

_IMAGES = 8
_WEIGHT_SEED = 0


def export_onnx(
    network: AnyNetwork,
    path: Path,
    weights: Path | None = None,
    batch: int = 1,
    precision: str = "fp32",
    images: Sequence[Array] = (),
) -> tuple[Artifact, Parity]:
    """Writes the file and checks it: with weights from a file (see `read_weights`), else with those that the
    network came with, else with seeded ones.

    `images`: at least two batches of shape (N, C, H, W) for int8; a fifth of them, one at least, is kept for
    the check.
    """
    from .onnx import write_onnx

    calibration, x = _images(network, batch, precision, images)
    module = _module(network, weights)
    spelled = network if isinstance(network, Network) else None
    artifact = write_onnx(network.graph(), state_arrays(module), path, batch, spelled, precision, calibration)
    return artifact, check_onnx(artifact, module, x)


def export_tflite(
    network: AnyNetwork,
    path: Path,
    weights: Path | None = None,
    batch: int = 1,
    precision: str = "fp32",
    images: Sequence[Array] = (),
) -> tuple[Artifact, Parity]:
    """As `export_onnx`."""
    from .tflite import write_tflite

    calibration, x = _images(network, batch, precision, images)
    module = _module(network, weights)
    as_stored = [np.ascontiguousarray(np.moveaxis(images, 1, -1)) for images in calibration]
    spelled = network if isinstance(network, Network) else None
    artifact = write_tflite(network.graph(), state_arrays(module), path, batch, spelled, precision, as_stored)
    return artifact, check_tflite(path, module, x, precision)


def _images(
    network: AnyNetwork, batch: int, precision: str, given: Sequence[Array]
) -> tuple[list[Array], Array]:
    """Batches to calibrate on, none for Gaussian ones, and the images of the check."""
    shape = network.graph().input_shape
    if not given:
        # How much noise there is varies from image to image; rounding errors do not.
        return [], gaussian((batch if precision == "fp32" else _IMAGES * batch, *shape))
    kept = max(1, len(given) // 5)
    return list(given[:-kept]), np.concatenate(given[-kept:])


def _module(network: AnyNetwork, weights: Path | None) -> Any:
    from torch import from_numpy

    from ...zen.module import build_module, initialise, load_state

    module = build_module(network.graph())
    if weights is not None:
        load_state(module, read_weights(weights)[0], weights)
    elif isinstance(network, GraphNetwork):
        network.require_read()
        own = {name: from_numpy(array) for name, array in network.read.state().items()}
        load_state(module, own, network.name)
    else:
        initialise(module, _WEIGHT_SEED)
    return module
