"""The files that are timed: their weights do not depend on the size of the maps."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from zenbench.bench.measuring.subjects import subject_of
from zenbench.devices.base import Setting
from zenbench.zen.families import zoo
from zenbench.zen.network import Network
from zenbench.zen.workload import Workload


@pytest.mark.parametrize("item", [zoo("mobilenetv2-0.5"), zoo("resnet-18").workloads()[3]])
def test_weights_are_those_of_small_maps_and_keep_activations_in_range(
    tmp_path: Path, item: Network | Workload
) -> None:
    import onnxruntime

    artifact = subject_of(item).artifact(tmp_path, Setting("host", "onnxruntime"), "onnx")
    size = item.resolution if isinstance(item, Network) else item.size
    (given,) = artifact.inputs
    assert given.shape[-2:] == (size, size)
    weights = [numpy_helper.to_array(one) for one in onnx.load(artifact.path).graph.initializer]
    assert all(np.isfinite(one).all() for one in weights)
    session = onnxruntime.InferenceSession(str(artifact.path))
    image = np.random.default_rng(0).standard_normal(given.shape).astype(np.float32)
    (output,) = session.run(None, {given.name: image})
    # Neither vanishing, which is slow on some machines, nor overflowing.
    assert 1e-3 < np.abs(output).max() < 1e4
