"""The link to the loopback phone, with a key that it knows; and NVIDIA's libraries, stood in for."""

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_torch import FakeTorch, Gpu
from loopback_phone import LoopbackPhone
from zenbench.bench.measuring.recipe import REFERENCE
from zenbench.bench.measuring.subjects import WorkloadSubject
from zenbench.devices.adb.keys import signer
from zenbench.devices.adb.phone import Adb
from zenbench.devices.android.phone import AndroidPhone
from zenbench.devices.base import Artifact, Connection, SettingRequest
from zenbench.devices.card import card
from zenbench.zen.workload import Workload


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for the user, without a key in it, and no phone named."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    return folder


@pytest.fixture
def known_phone(phone: LoopbackPhone, home: Path) -> LoopbackPhone:
    """A phone that has accepted the user's key."""
    phone.authorise(signer().GetPublicKey().decode())
    return phone


@pytest.fixture
def adb(known_phone: LoopbackPhone) -> Iterator[Adb]:
    """A connection to that phone."""
    adb = Adb.connect(known_phone.address)
    yield adb
    adb.close()


@pytest.fixture
def pixel2(own_phone: LoopbackPhone, runner: Path) -> Iterator[AndroidPhone]:
    """The phone by its card, with its runner."""
    found = AndroidPhone(card("pixel2"), "litert", Connection(own_phone.address, runner))
    yield found
    found.close()


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    """The reference workload as a file for that phone."""
    setting = card("pixel2").setting(SettingRequest(), "mask-f0")
    return WorkloadSubject(Workload.parse(REFERENCE)).artifact(tmp_path, setting, "tflite")


FAKES = Path(__file__).parent / "fake_nvidia"


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose engines serve all tests that do not ask for another."""
    return tmp_path_factory.mktemp("engines")


@pytest.fixture
def nvidia(engines: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """NVIDIA's libraries, here and in the processes that are started: `machine` (CUDA) and `nvml`.

    Whatever of CUDA a test leaves behind fails it.
    """
    monkeypatch.setenv("ZENBENCH_HOME", str(engines))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FAKES), *sys.path]))
    monkeypatch.syspath_prepend(str(FAKES))
    for name in list(sys.modules):
        if name.partition(".")[0] in ("cuda", "pynvml", "tensorrt"):
            monkeypatch.delitem(sys.modules, name)
    machine = importlib.import_module("cuda.bindings.runtime").MACHINE
    nvml = importlib.import_module("pynvml")
    yield SimpleNamespace(machine=machine, nvml=nvml)
    for name in list(sys.modules):
        if name.partition(".")[0] in ("cuda", "pynvml", "tensorrt"):
            del sys.modules[name]
    assert not machine.memory and not machine.live and not machine.pinned, (
        "buffers, streams, events or graphs are left"
    )


@pytest.fixture
def fake_torch(nvidia: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> FakeTorch:
    """torch with a GPU, for its driver alone."""
    from zenbench.devices.nvidia import torch_cuda

    for name, value in vars(Gpu).items():
        if not name.startswith("__"):
            monkeypatch.setattr(Gpu, name, value)
    fake = FakeTorch(nvidia.nvml)
    monkeypatch.setattr(torch_cuda, "torch", fake)
    return fake
