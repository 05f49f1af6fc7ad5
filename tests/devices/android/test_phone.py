"""Android phones, driven over real ADB on the loopback phone: rounds, state, settings, nothing left."""

from pathlib import Path

import pytest
from loopback_phone import LoopbackPhone
from scripted_runner import left_on
from zenbench.devices.adb import connect
from zenbench.devices.adb.phone import Adb
from zenbench.devices.android.phone import AndroidPhone
from zenbench.devices.base import Artifact, Connection, RemoteDevice, SettingRequest
from zenbench.devices.card import card
from zenbench.errors import DeviceError, DeviceUnavailableError, UserError


def test_a_round_times_both_and_reads_the_state_around_them(
    pixel2: AndroidPhone, artifact: Artifact, own_phone: LoopbackPhone
) -> None:
    assert isinstance(pixel2, RemoteDevice)
    setting = pixel2.setting(SettingRequest())
    reference, session = pixel2.open_all([artifact, artifact], setting)
    own_phone.pixel.set_frequency(5, 1_056_000)
    found = pixel2.round(reference, session, 10, 0.0)
    assert [sample.inner_runs for sample in found.samples] == [10]
    assert all(sample.ms > 0 for sample in (*found.reference, *found.warmup, *found.samples))
    for state in (found.before, found.after):
        assert (state.cpu_mhz, state.governor) == (1056.0, "schedutil")
        assert (state.battery_percent, state.power, state.screen, state.throttled) == (
            93.0,
            "usb",
            "on",
            None,
        )
        assert state.temperatures_celsius is not None
        assert (
            state.temperatures_celsius["back_therm"] == state.temperatures_celsius["tsens_tz_sensor4"] == 35.0
        )


def test_it_knows_its_phone_and_what_measures_there(pixel2: AndroidPhone, own_phone: LoopbackPhone) -> None:
    assert pixel2.identity() == {
        "manufacturer": "Google",
        "model": "Pixel 2",
        "product": "walleye",
        "platform": "msm8998",
    }
    versions = pixel2.versions()
    assert (versions["android"], versions["serial"]) == ("11", own_phone.address)
    assert len(versions["benchmark_model sha256"]) == 64


def test_nothing_is_left_when_it_lets_go(
    pixel2: AndroidPhone, artifact: Artifact, own_phone: LoopbackPhone
) -> None:
    session = pixel2.open(artifact, pixel2.setting(SettingRequest()))
    session.time(1)
    assert own_phone.files() and own_phone.processes()
    session.close()
    pixel2.open(artifact, pixel2.setting(SettingRequest()))
    assert sum(name.endswith(".tflite") for name in own_phone.files()) == 1, (
        "closed files go with the next push"
    )
    pixel2.close()
    assert left_on(own_phone) == []


def test_what_dead_connections_left_is_swept_up(
    own_phone: LoopbackPhone, runner: Path, artifact: Artifact
) -> None:
    """A phone was switched off: neither we nor the janitor could clean up."""
    adb = Adb.connect(own_phone.address)
    folder = "/data/local/tmp/zenbench"
    for name, janitor in (("dead", "echo 999999999"), ("old", ":"), ("new", ":")):
        made = f"mkdir -p {folder}/{name}; {janitor} > {folder}/{name}/janitor"
        assert adb.shell(f"{made}; echo > {folder}/{name}/0.tflite", 5).status == 0
    assert adb.shell(f"touch -d '2020-01-01 00:00:00' {folder}/old", 5).status == 0
    found = AndroidPhone(card("pixel2"), "litert", Connection(own_phone.address, runner))
    found.identity()
    folders = {name.split("/")[1] for name in own_phone.files() if name.count("/") == 2}
    assert "new" in folders and not folders & {"dead", "old"}
    found.close()
    adb.close()


def test_two_connections_leave_each_other_alone(own_phone: LoopbackPhone, runner: Path) -> None:
    one, other = (
        AndroidPhone(card("pixel2"), "litert", Connection(own_phone.address, runner)) for _ in range(2)
    )
    one.state()
    kept = own_phone.files()
    other.state()
    assert set(kept) <= set(own_phone.files())
    other.close()
    assert own_phone.files() == kept
    one.state()
    one.close()
    assert left_on(own_phone) == []


@pytest.mark.parametrize(
    ("mask", "pinning"), [("f0", "mask-f0"), ("0xF0", "mask-f0"), ("03", "mask-3"), (None, "mask-f0")]
)
def test_the_mask_is_part_of_the_setting(pixel2: AndroidPhone, mask: str | None, pinning: str) -> None:
    assert pixel2.setting(SettingRequest(cpu_mask=mask)).pinning == pinning


@pytest.mark.parametrize("mask", ["", "0", "g0", "-1", "f0;reboot", "f" * 17])
def test_masks_that_are_none_are_refused(pixel2: AndroidPhone, mask: str) -> None:
    with pytest.raises(UserError, match="is no CPU mask"):
        pixel2.setting(SettingRequest(cpu_mask=mask or "00"))


def test_more_threads_than_cores_are_refused(pixel2: AndroidPhone) -> None:
    assert pixel2.setting(SettingRequest(threads=4)).threads == 4
    with pytest.raises(UserError, match="more than the 4 cores of the mask f0"):
        pixel2.setting(SettingRequest(threads=5))


def test_a_gpu_that_is_not_there_is_no_result(
    own_phone: LoopbackPhone, runner: Path, artifact: Artifact
) -> None:
    gpu = AndroidPhone(card("pixel2"), "litert-gpu", Connection(own_phone.address, runner))
    with pytest.raises(DeviceError, match="GPU"):
        gpu.open(artifact, gpu.setting(SettingRequest())).time(1)
    gpu.close()


def test_a_wrong_phone_is_refused_by_name(pixel2: AndroidPhone, own_phone: LoopbackPhone) -> None:
    own_phone.pixel.set_property("ro.product.model", "Pixel 3")
    with pytest.raises(DeviceUnavailableError, match=r"is a Google Pixel 3 .*, no pixel2; .*--device"):
        pixel2.identity()
    assert left_on(own_phone) == []


def test_any_phone_will_do_for_the_card_android(own_phone: LoopbackPhone, runner: Path) -> None:
    own_phone.pixel.set_property("ro.product.model", "Pixel 3")
    found = AndroidPhone(card("android"), "litert", Connection(own_phone.address, runner))
    assert found.identity()["model"] == "Pixel 3"
    found.close()


def test_a_phone_that_does_not_know_us(
    phone: LoopbackPhone, user: str, runner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "_ACCEPT_S", 0.3)
    found = AndroidPhone(card("pixel2"), "litert", Connection(phone.address, runner))
    with pytest.raises(DeviceUnavailableError, match="accept the dialog on the phone"):
        found.identity()


def test_authorisation_withdrawn_while_it_works(
    pixel2: AndroidPhone, artifact: Artifact, own_phone: LoopbackPhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "_ACCEPT_S", 0.3)
    monkeypatch.setattr("zenbench.devices.android.phone.RECONNECT_S", 0.5)
    session = pixel2.open(artifact, pixel2.setting(SettingRequest()))
    own_phone.withdraw()
    session.time(1)  # what is connected stays so
    own_phone.restart()
    with pytest.raises(DeviceUnavailableError, match="accept the dialog on the phone"):
        session.time(1)
    assert left_on(own_phone) == []


def test_without_a_runner_it_says_where_to_get_one(own_phone: LoopbackPhone) -> None:
    found = AndroidPhone(card("pixel2"), "litert", Connection(own_phone.address))
    with pytest.raises(DeviceUnavailableError, match="zenbench setup pixel2"):
        found.identity()
    needs = {need.name: need for need in found.requirements()}
    assert not needs["benchmark_model"].met and needs["adb-shell"].met
