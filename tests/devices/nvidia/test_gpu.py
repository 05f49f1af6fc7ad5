"""NVIDIA GPUs by NVML: the right one, its identity and state, and what is said where there is none."""

import os
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
from zenbench.devices.base import Connection, SettingRequest
from zenbench.devices.card import card
from zenbench.devices.nvidia.gpu import NvidiaDevice, find_gpu, settle
from zenbench.devices.registry import device
from zenbench.errors import DeviceUnavailableError, UserError

T4 = card("t4")


def t4(connection: Connection | None = None) -> NvidiaDevice:
    found = device("t4", connection=connection)
    assert isinstance(found, NvidiaDevice)
    return found


def test_the_gpu_of_the_card_is_found_among_several(nvidia: SimpleNamespace) -> None:
    nvidia.nvml.GPUS[:] = [nvidia.nvml.Gpu("NVIDIA A10", "00000000:00:03.0", "GPU-a"), nvidia.nvml.Gpu()]
    assert find_gpu(T4, Connection()).name == "Tesla T4"
    assert find_gpu(card("nvidia"), Connection()).name == "NVIDIA A10"
    assert find_gpu(card("nvidia"), Connection(serial="1")).name == "Tesla T4"
    with pytest.raises(DeviceUnavailableError, match=r"no GPU 7; this machine has 2: NVIDIA A10, Tesla T4"):
        find_gpu(T4, Connection(serial="7"))


@pytest.mark.parametrize(
    ("wanted", "name", "fits"),
    [
        ("Tesla T4", "Tesla T4", True),
        ("Tesla T4", "NVIDIA T4", True),
        ("Tesla T4", "NVIDIA T4G", False),
        ("Tesla T4", "NVIDIA A10", False),
        ("Tesla V100", "Tesla V100-SXM2-16GB", True),
        ("Tesla V100", "NVIDIA A100-SXM4-40GB", False),
        ("", "NVIDIA GeForce RTX 4090", True),
    ],
)
def test_names_are_compared_word_by_word(nvidia: SimpleNamespace, wanted: str, name: str, fits: bool) -> None:
    nvidia.nvml.GPUS[0].name = name
    asked = replace(T4, details={"gpu": {"name": wanted}} if wanted else {})
    if fits:
        assert find_gpu(asked, Connection()).name == name
    else:
        with pytest.raises(DeviceUnavailableError, match=f"is a {wanted}, but this machine has: {name}"):
            find_gpu(asked, Connection())


def test_identity_tells_what_changes_latencies(nvidia: SimpleNamespace) -> None:
    (gpu,) = nvidia.nvml.GPUS
    assert t4().identity() == {
        "gpu": "Tesla T4",
        "memory_mib": "15360",
        "ecc": "on",
        "power_limit_watts": "70",
    }
    gpu.ecc, gpu.limit_milliwatts = None, None
    assert (t4().identity()["ecc"], t4().identity()["power_limit_watts"]) == ("none", "unknown")


def test_state_tells_clocks_and_why_they_are_low(nvidia: SimpleNamespace) -> None:
    (gpu,) = nvidia.nvml.GPUS
    state = t4().state()
    assert state.cores_mhz == {"sm": 1590, "memory": 5001} and state.temperature_celsius == 61
    assert state.power == "68.9 W, at its cap"
    assert state.throttled is None, "a T4 is at its power cap whenever it works hard"
    gpu.reasons = 0x4 | 0x20 | 0x8
    assert t4().state().throttled == "too hot (driver); hardware slowdown"
    gpu.reasons = gpu.milliwatts = gpu.celsius = gpu.sm_mhz = gpu.memory_mhz = gpu.pids = None
    empty = t4().state()
    assert (empty.cores_mhz, empty.power, empty.throttled, empty.other_processes) == (None,) * 4


def test_other_programs_on_the_gpu_are_told(nvidia: SimpleNamespace) -> None:
    nvidia.nvml.GPUS[0].pids = [os.getpid(), 1, 2]
    assert t4().state().other_processes == 2
    (need,) = [need for need in t4().requirements() if need.name == "GPU to itself"]
    assert not need.met and "2 other programs" in need.found and "nvidia-smi" in need.advice


def missing(found: NvidiaDevice) -> list[tuple[str, str]]:
    return [(need.name, f"{need.found}; {need.advice}") for need in found.requirements() if not need.met]


def test_with_everything_there_nothing_is_missing(nvidia: SimpleNamespace) -> None:
    assert missing(t4()) == []


def test_without_a_driver_one_sentence_says_so(nvidia: SimpleNamespace) -> None:
    nvidia.nvml.HAS_DRIVER = False
    with pytest.raises(DeviceUnavailableError, match=r"no NVIDIA driver answers .*nvidia-smi"):
        t4().identity()
    ((name, text),) = missing(t4())
    assert name == "NVIDIA driver" and "Shared Library Not Found" in text


def test_with_another_gpu_the_card_says_which_it_is_about(nvidia: SimpleNamespace) -> None:
    nvidia.nvml.GPUS[0].name = "NVIDIA A10"
    ((name, text),) = missing(t4())
    assert name == "GPU" and "'t4' is a Tesla T4, but this machine has: NVIDIA A10" in text
    assert "--device nvidia" in text


def test_a_driver_too_old_for_the_bindings_is_told_with_both_ways_out(nvidia: SimpleNamespace) -> None:
    nvidia.machine.driver_too_old = True
    ((name, text),) = missing(t4())
    assert name == "cuda-bindings" and "too old" in text and "pip install 'cuda-bindings<13'" in text


@pytest.mark.parametrize("name", ["t4", "v100", "nvidia"])
def test_wishes_that_no_gpu_can_meet(name: str) -> None:
    found = device(name)
    default = found.setting(SettingRequest())
    assert (default.batch, default.threads, default.pinning) == (64, 1, "free")
    for asked in (
        SettingRequest(threads=2),
        SettingRequest(precision="int4"),
        SettingRequest(batch=0),
        SettingRequest(cpu_mask="f0"),
    ):
        with pytest.raises(UserError):
            found.setting(asked)


def test_defaults_are_those_of_the_published_figures() -> None:
    settings = {name: device(name).setting(SettingRequest()) for name in ("t4", "v100")}
    assert {name: (s.runtime, s.precision) for name, s in settings.items()} == {
        "t4": ("tensorrt", "int8"),
        "v100": ("torch", "fp16"),
    }
    assert device("t4", "tensorrt-graph").setting(SettingRequest()).runtime == "tensorrt-graph"


def rising() -> Iterator[float]:
    yield from (300.0, 585.0, 960.0, 1200.0, 1500.0)
    while True:
        yield 1590.0


def test_settling_runs_until_the_clock_holds_still() -> None:
    readings, runs = rising(), []
    settle(lambda: runs.append(1), lambda: next(readings))
    assert len(runs) == 10, "five below, and five that agree"


@pytest.mark.parametrize("mhz", [iter(range(100, 10**6, 100)).__next__, lambda: None])
def test_settling_ends_where_the_clock_never_does_or_is_not_told(mhz: object) -> None:
    seconds = iter(range(100))
    runs: list[int] = []
    settle(lambda: runs.append(1), mhz, lambda: float(next(seconds)))  # type: ignore[arg-type]
    assert 2 <= len(runs) <= 6
