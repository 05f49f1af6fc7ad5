"""PyTorch's driver on real modules, with stand-ins for the parts of torch.cuda that need a GPU."""

from contextlib import closing
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from fake_torch import DEFAULT, LAUNCH_MS, FakeTorch, Gpu
from toys import SMALL_CONV
from zenbench.bench.measuring.subjects import WorkloadSubject
from zenbench.devices.base import Artifact, Device, Setting, SettingRequest
from zenbench.devices.nvidia import torch_cuda
from zenbench.devices.registry import device
from zenbench.errors import DeviceError, DeviceUnavailableError


@pytest.fixture(autouse=True)
def v100_here(nvidia: SimpleNamespace) -> None:
    nvidia.nvml.GPUS[0].name = "Tesla V100-SXM2-16GB"


def v100(runtime: str = "torch") -> Device:
    return device("v100", runtime)


def artifact(folder: Path, setting: Setting) -> Artifact:
    return WorkloadSubject(SMALL_CONV).artifact(folder, setting, "torch-export")


def times(found: Device, folder: Path, asked: SettingRequest, runs: int = 3) -> list[float]:
    setting = found.setting(asked)
    with closing(found.open(artifact(folder, setting), setting)) as session:
        session.time(1)
        return [sample.ms for sample in session.time(runs)]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_runs_are_timed_between_events_on_one_stream(
    fake_torch: FakeTorch, tmp_path: Path, precision: str
) -> None:
    readings = times(v100(), tmp_path, SettingRequest(precision=precision, batch=2), 5)
    assert readings == pytest.approx([2 * 3 * 16 * 16 * 1e-6 + LAUNCH_MS] * 5)
    assert Gpu.emptied == 1


def test_a_graph_replays_runs_without_their_launches(fake_torch: FakeTorch, tmp_path: Path) -> None:
    plain, graph = (
        median(times(v100(name), tmp_path, SettingRequest(batch=1))) for name in ("torch", "torch-graph")
    )
    assert plain - graph == pytest.approx(LAUNCH_MS)


def test_torch_is_left_as_it_was(fake_torch: FakeTorch, tmp_path: Path) -> None:
    before = torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32
    times(v100(), tmp_path, SettingRequest(batch=1))
    assert (torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32) == before
    assert not torch.is_inference_mode_enabled() and Gpu.current is DEFAULT


@pytest.mark.parametrize(
    ("trouble", "kind", "sentence"),
    [
        (
            torch.cuda.OutOfMemoryError("tried to allocate\nmuch"),
            DeviceError,
            "does not fit at batch 2; give",
        ),
        (
            RuntimeError("no kernel for this\nat x"),
            DeviceError,
            r"torch could not run \w+\.pt2: no kernel for this$",
        ),
        (RuntimeError("CUDA error: out of memory\nmore"), DeviceError, "does not fit at batch 2; give"),
        (
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
            DeviceError,
            "does not fit at batch 2; give",
        ),
        (
            RuntimeError("CUDA error: operation not permitted when stream is capturing"),
            DeviceError,
            r"torch could not run \w+\.pt2: CUDA error: operation not permitted",
        ),
        (
            RuntimeError("CUDA error: an illegal memory access was encountered"),
            DeviceUnavailableError,
            "illegal memory access .*run the command again",
        ),
    ],
)
def test_trouble_is_one_sentence(
    fake_torch: FakeTorch, tmp_path: Path, trouble: Exception, kind: type[Exception], sentence: str
) -> None:
    found = v100()
    setting = found.setting(SettingRequest(batch=2))
    file = artifact(tmp_path, setting)
    Gpu.trouble = trouble
    with pytest.raises(kind, match=sentence) as caught:
        found.open(file, setting)
    assert isinstance(caught.value, DeviceUnavailableError) == (kind is DeviceUnavailableError)


def test_nan_in_the_output_is_refused(
    fake_torch: FakeTorch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = 3e38 * np.sign(np.random.default_rng(0).standard_normal((1, 3, 16, 16)))
    monkeypatch.setattr(torch_cuda, "random_inputs", lambda specs: [large.astype(np.float32)])
    with pytest.raises(DeviceError, match="holds NaN or infinity"):
        times(v100(), tmp_path, SettingRequest(precision="fp32", batch=1))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"version": SimpleNamespace(cuda=None)}, "built without CUDA; install a CUDA build"),
        ({"__version__": "2.4.1+cu121"}, r"2.4.1\+cu121 is older than 2.6"),
        ({"available": False}, "finds no GPU that it can use"),
    ],
)
def test_a_torch_that_will_not_do(
    fake_torch: FakeTorch, tmp_path: Path, change: dict[str, Any], sentence: str
) -> None:
    found = v100()
    setting = found.setting(SettingRequest(batch=1))
    file = artifact(tmp_path, setting)
    if change.pop("available", True) is False:
        fake_torch.cuda.is_available = lambda: False
    vars(fake_torch).update(change)
    with pytest.raises(DeviceUnavailableError, match=sentence):
        found.open(file, setting)
    (need,) = [need for need in found.requirements() if not need.met]
    assert need.name == "torch for CUDA" and "pytorch.org" in need.advice


def test_a_gpu_that_torch_does_not_see_is_told(fake_torch: FakeTorch, tmp_path: Path) -> None:
    fake_torch.cuda.device_count = lambda: 0
    with pytest.raises(DeviceUnavailableError, match="CUDA_VISIBLE_DEVICES"):
        times(v100(), tmp_path, SettingRequest(batch=1))


@pytest.mark.parametrize("content", [b"", b"not a model"])
def test_damaged_files_are_device_errors(fake_torch: FakeTorch, tmp_path: Path, content: bytes) -> None:
    found = v100()
    setting = found.setting(SettingRequest(batch=1))
    file = artifact(tmp_path, setting)
    file.path.write_bytes(content)
    with pytest.raises(DeviceError, match=r"torch refused \w+\.pt2"):
        found.open(file, setting)
