"""The files that are timed: plausible numbers throughout, whatever the network, and no torch to draw them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from toys import STRIDED
from zenbench.bench.export.parity import gaussian
from zenbench.bench.export.running import onnx_runner, tflite_runner
from zenbench.bench.export.weights_file import write_weights
from zenbench.bench.measuring.subjects import TrainedSubject, subject_of
from zenbench.devices.base import Setting
from zenbench.errors import UserError
from zenbench.zen.families import zoo
from zenbench.zen.module import initialise
from zenbench.zen.network import Network, parse_text
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


@pytest.mark.parametrize("file_format", ["onnx", "tflite"])
def test_a_trained_network_is_timed_with_its_weights(tmp_path: Path, file_format: str) -> None:
    network, path = parse_text(STRIDED, 32, 10), tmp_path / "weights.safetensors"
    module = initialise(network.graph(), seed=3)
    write_weights(path, module.state_dict(), {})
    subject = TrainedSubject.of(network, path)
    artifact = subject.artifact(tmp_path, Setting("host", "any", "fp32", 1, 1), file_format)
    x = gaussian((2, 3, 32, 32))
    run = tflite_runner(artifact.path) if file_format == "tflite" else onnx_runner(artifact.path)
    with torch.no_grad():
        assert np.allclose(run(x), module(torch.from_numpy(x)).numpy(), atol=1e-4)
    assert subject.key.startswith(subject_of(network).key) and subject.key != subject_of(network).key


def test_weights_of_another_network_are_not_timed(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    write_weights(path, initialise(parse_text(STRIDED, 32, 10).graph()).state_dict(), {})
    with pytest.raises(UserError, match="it belongs to another network"):
        TrainedSubject.of(zoo("resnet-18"), path)
