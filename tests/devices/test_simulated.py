"""The simulated device: seeded, noisy around a truth that behaves like a real one."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
from zenbench.bench.measuring.subjects import NetworkSubject, WorkloadSubject
from zenbench.devices.base import SettingRequest
from zenbench.devices.card import cards
from zenbench.devices.simulated import SimulatedDevice, true_ms
from zenbench.errors import DeviceError
from zenbench.zen.families import zoo
from zenbench.zen.network import parse_text

NETWORK = parse_text(
    "SuperConvK3BNRELU(3,16,2,1)SuperResIDWE2K5(16,24,2,24,1)SuperConvK1BNRELU(24,64,1,1)", 32, 10
)


def fresh(seed: int = 0) -> SimulatedDevice:
    return SimulatedDevice(cards()["simulated"], seed)


def test_readings_are_seeded(tmp_path: Path) -> None:
    def readings(seed: int) -> list[float]:
        device = fresh(seed)
        setting = device.setting(SettingRequest())
        with closing(
            device.open(NetworkSubject(NETWORK).artifact(tmp_path, setting, "onnx"), setting)
        ) as session:
            return [sample.ms for sample in session.time(20)]

    assert readings(1) == readings(1) != readings(2)


def test_readings_warm_up_and_lie_around_the_truth(tmp_path: Path) -> None:
    device = fresh()
    setting = device.setting(SettingRequest())
    artifact = NetworkSubject(NETWORK).artifact(tmp_path, setting, "onnx")
    with closing(device.open(artifact, setting)) as session:
        first = session.time(1)[0].ms
        session.time(20)
        settled = [sample.ms for sample in session.time(400)]
    assert first > 1.2 * median(settled)
    assert median(settled) == pytest.approx(true_ms(artifact, setting), rel=0.05)
    assert max(settled) > 1.4 * median(settled), "there are spikes"


def test_a_network_takes_less_than_its_units_one_by_one(tmp_path: Path) -> None:
    setting = fresh().setting(SettingRequest())
    whole = true_ms(NetworkSubject(NETWORK).artifact(tmp_path, setting, "onnx"), setting)
    units = sum(
        true_ms(WorkloadSubject(workload).artifact(tmp_path, setting, "onnx"), setting)
        for workload in NETWORK.workloads()
    )
    assert 0.5 * units < whole < units


def test_more_work_takes_longer_and_more_threads_less(tmp_path: Path) -> None:
    setting = fresh().setting(SettingRequest())
    small, large = (
        NetworkSubject(replace(zoo("zennet-cifar-0.5m"), resolution=size)).artifact(tmp_path, setting, "onnx")
        for size in (16, 32)
    )
    assert true_ms(small, setting) < true_ms(large, setting)
    assert true_ms(large, replace(setting, threads=4)) < true_ms(large, setting)


def test_refusals_are_device_errors(tmp_path: Path) -> None:
    device = SimulatedDevice(cards()["simulated"], refuse=lambda artifact: "no room for it")
    setting = device.setting(SettingRequest())
    with pytest.raises(DeviceError, match="no room"):
        device.open(NetworkSubject(NETWORK).artifact(tmp_path, setting, "onnx"), setting)
