"""The files that are timed: plausible numbers throughout, whatever the network, and no torch to draw them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from zenbench.bench.measuring.subjects import subject_of
from zenbench.devices.base import Setting
from zenbench.zen.families import zoo
from zenbench.zen.network import Network
from zenbench.zen.workload import Workload

ITEMS = [
    zoo("mobilenetv2-0.5"),
    zoo("resnet-18").workloads()[3],
    zoo("densenet-121"),
    zoo("efficientnet-b4"),
    zoo("resnest-50"),
    zoo("zennet-cifar-2m"),
]


@pytest.mark.parametrize("item", ITEMS)
def test_activations_neither_vanish_nor_overflow(tmp_path: Path, item: Network | Workload) -> None:
    import onnxruntime

    artifact = subject_of(item).artifact(tmp_path, Setting("host", "onnxruntime"), "onnx")
    (given,) = artifact.inputs
    session = onnxruntime.InferenceSession(str(artifact.path))
    image = np.random.default_rng(0).standard_normal(given.shape).astype(np.float32)
    (output,) = session.run(None, {given.name: image})
    # Subnormal numbers are slow on some machines, and fp16 ends at 65,504.
    assert 1e-2 < np.abs(output).max() < 1e3


def test_equal_graphs_have_equal_files(tmp_path: Path) -> None:
    subject, setting = subject_of(zoo("mobilenetv2-0.5").workloads()[2]), Setting("host", "onnxruntime")
    first, second = (subject.artifact(tmp_path / name, setting, "onnx") for name in "ab")
    assert first.sha256 == second.sha256


def test_a_file_is_written_without_torch(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; "
        "from zenbench.bench.measuring.subjects import subject_of; "
        "from zenbench.devices.base import Setting; "
        "from zenbench.zen.families import zoo; "
        "setting = Setting('host', 'litert'); "
        f"subject_of(zoo('resnet-18')).artifact(Path({str(tmp_path)!r}), setting, 'tflite'); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
