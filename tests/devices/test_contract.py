"""What every device must do, run against every device that ships."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from zenbench.bench.measuring.subjects import WorkloadSubject
from zenbench.devices.base import Artifact, Connection, Device, RemoteDevice, Setting, SettingRequest
from zenbench.devices.card import card, cards
from zenbench.devices.host import cpu
from zenbench.devices.registry import device
from zenbench.errors import DeviceError, UserError
from zenbench.zen.workload import Workload

WORKLOAD = (
    "residual(style=bottleneck,kernel=3,in_channels=64,hidden_channels=32,out_channels=64,"
    "stride=1,projection=0,squeeze_excite=1)@28"
)
# A phone's GPU is not among the real parts of the loopback phone: test_android.py sees it refused.
DEVICES = [
    (own.name, runtime) for own in cards().values() for runtime in own.runtimes if runtime != "litert-gpu"
]


@pytest.fixture(params=DEVICES, ids=["-".join(names) for names in DEVICES])
def any_device(request: pytest.FixtureRequest) -> Iterator[Device]:
    name, runtime = request.param
    connection = None
    if card(name).runtimes[runtime] == "android":
        phone, runner = request.getfixturevalue("own_phone"), request.getfixturevalue("runner")
        connection = Connection(phone.address, runner)
    if card(name).runtimes[runtime] in ("tensorrt", "torch"):
        libraries, _ = request.getfixturevalue("nvidia"), request.getfixturevalue("fake_torch")
        libraries.nvml.GPUS[0].name = card(name).details.get("gpu", {}).get("name", "NVIDIA A10")
    found = device(name, runtime, connection)
    yield found
    if isinstance(found, RemoteDevice):
        found.close()


def artifact(any_device: Device, path: Path, batch: int = 1) -> Artifact:
    setting = any_device.setting(SettingRequest(batch=batch))
    return WorkloadSubject(Workload.parse(WORKLOAD)).artifact(path, setting, any_device.accepts[0])


def fastest_ms(any_device: Device, path: Path, batch: int) -> float:
    """Of several calls: a phone answers each with one mean, which whatever else runs here may raise."""
    setting = any_device.setting(SettingRequest(batch=batch))
    with closing(any_device.open(artifact(any_device, path, batch), setting)) as session:
        return min(sample.ms for _ in range(5) for sample in session.time(6))


def test_is_a_device_that_knows_itself(any_device: Device) -> None:
    assert isinstance(any_device, Device)
    assert dict(any_device.identity()) == dict(any_device.identity())
    assert any_device.versions()
    assert all(need.found for need in any_device.requirements())
    assert any_device.state() is not None


def test_setting_comes_from_the_card_and_the_wish(any_device: Device) -> None:
    default = any_device.setting(SettingRequest())
    own = card(any_device.name)
    assert (default.device, default.batch, default.threads) == (
        own.name,
        own.defaults["batch"],
        own.defaults["threads"],
    )
    assert any_device.setting(SettingRequest(batch=4)).batch == 4
    assert Setting.parse(default.device, str(default)) == default


@pytest.mark.parametrize(
    "asked",
    [
        SettingRequest(precision="int7"),
        SettingRequest(batch=0),
        SettingRequest(threads=0),
        SettingRequest(threads=10_000),
    ],
)
def test_impossible_wishes_are_refused(any_device: Device, asked: SettingRequest) -> None:
    with pytest.raises(UserError):
        any_device.setting(asked)


def test_times_as_many_runs_as_asked(any_device: Device, tmp_path: Path) -> None:
    setting = any_device.setting(SettingRequest())
    with closing(any_device.open(artifact(any_device, tmp_path), setting)) as session:
        for runs in (1, 7):
            samples = session.time(runs)
            assert sum(sample.inner_runs for sample in samples) == runs
            assert all(sample.ms > 0 and sample.inner_runs >= 1 for sample in samples)


def test_a_larger_batch_takes_longer(any_device: Device, tmp_path: Path) -> None:
    assert fastest_ms(any_device, tmp_path, 8) > 2 * fastest_ms(any_device, tmp_path, 1)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07" * 50])
def test_damaged_files_are_device_errors(any_device: Device, tmp_path: Path, content: bytes) -> None:
    good = artifact(any_device, tmp_path)
    good.path.write_bytes(content)
    with pytest.raises(DeviceError) as caught:
        any_device.open(good, any_device.setting(SettingRequest())).time(
            1
        )  # what is remote looks at files late
    assert "\n" not in str(caught.value)


def test_the_process_is_left_as_it_was(any_device: Device, tmp_path: Path) -> None:
    def scheduling() -> tuple[object, ...]:
        return os.sched_getaffinity(0), os.sched_getscheduler(0)

    before = scheduling()
    good = artifact(any_device, tmp_path)
    with closing(any_device.open(good, any_device.setting(SettingRequest()))) as session:
        session.time(3)
        assert scheduling() == before
    good.path.write_bytes(b"")
    with pytest.raises(DeviceError):
        any_device.open(good, any_device.setting(SettingRequest())).time(1)
    assert scheduling() == before


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="host"):
        device("toaster")
    with pytest.raises(UserError, match="onnxruntime"):
        device("host", "abacus")


def test_pinning_uses_as_many_cores_as_threads_and_restores_them() -> None:
    before = cpu.usable_cores()
    with cpu.pinned(1):
        assert len(cpu.usable_cores()) == 1
    assert cpu.usable_cores() == before
    with pytest.raises(ZeroDivisionError), cpu.pinned(1):
        raise ZeroDivisionError
    assert cpu.usable_cores() == before


@pytest.mark.parametrize("text", ["", "onnxruntime", "onnxruntime/fp32/1/t1/free", "a/b/b1/t1/free/x"])
def test_texts_that_are_no_setting(text: str) -> None:
    with pytest.raises(UserError, match="not a setting"):
        Setting.parse("host", text)
