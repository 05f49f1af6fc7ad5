"""Android phones that overheat, whose runner fails, whose link drops or whose disk is full: one block or none
is lost, and nothing is left."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from loopback_phone import LoopbackPhone
from places import ROOT
from scripted_runner import left_on, scripted_runner
from zenbench.devices.android.phone import AndroidPhone
from zenbench.devices.base import Artifact, Connection, SettingRequest
from zenbench.devices.card import DeviceCard, card, read_card
from zenbench.errors import DeviceError, DeviceUnavailableError

CARD = ROOT / "devices/cards/pixel2.toml"


def impatient(tmp_path: Path, **changes: float) -> DeviceCard:
    """The card of a Pixel 2 with other deadlines."""
    text = CARD.read_text()
    for name, value in changes.items():
        lines = [f"{name} = {value}" if line.startswith(f"{name} =") else line for line in text.splitlines()]
        text = "\n".join(lines)
    (tmp_path / "card.toml").write_text(text)
    return read_card(tmp_path / "card.toml")


def after(seconds: float, action: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds, action)
    timer.start()
    return timer


class TestHeat:
    def test_it_rests_until_the_phone_has_cooled(
        self, own_phone: LoopbackPhone, runner: Path, artifact: Artifact, tmp_path: Path
    ) -> None:
        found = AndroidPhone(impatient(tmp_path, rest_s=20), "litert", Connection(own_phone.address, runner))
        reference, session = found.open_all([artifact, artifact], found.setting(SettingRequest()))
        own_phone.pixel.set_battery(level=90, celsius=41.0)
        assert found.round(reference, session, 1, 0.0).after.temperature_celsius == 41.0
        started = time.monotonic()
        after(1.0, lambda: own_phone.pixel.set_battery(level=90, celsius=36.0))
        after(2.0, lambda: own_phone.pixel.set_battery(level=90, celsius=34.0))
        assert found.round(reference, session, 1, 0.0).before.temperature_celsius == 35.0
        assert time.monotonic() - started >= 2.0, "36 degrees are not cool enough after 41"
        found.close()

    def test_a_phone_that_never_cools_is_measured_as_it_is(
        self,
        own_phone: LoopbackPhone,
        runner: Path,
        artifact: Artifact,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        found = AndroidPhone(impatient(tmp_path, rest_s=0.5), "litert", Connection(own_phone.address, runner))
        reference, session = found.open_all([artifact, artifact], found.setting(SettingRequest()))
        own_phone.pixel.set_temperature(80.0)
        for _ in range(3):
            assert found.round(reference, session, 1, 0.0).after.temperature_celsius == 80.0
        assert [record.message.partition(" (")[0] for record in caplog.records] == [
            "pixel2 is hot",
            "pixel2 is still hot",
        ], "it waits once, not before every round"
        found.close()

    def test_a_core_that_is_held_down_throttles(
        self, pixel2: AndroidPhone, own_phone: LoopbackPhone, artifact: Artifact
    ) -> None:
        reference, session = pixel2.open_all([artifact, artifact], pixel2.setting(SettingRequest()))
        own_phone.pixel.set_frequency(6, 1_132_800, limit_khz=1_132_800)
        found = pixel2.round(reference, session, 1, 0.0)
        assert found.before.throttled == found.after.throttled == "core 6 is held at 1133 of 2458 MHz"


class TestRunner:
    """Runners that fail do so for one block: the next one is measured."""

    @pytest.mark.parametrize(
        ("script", "reason"),
        [
            ("kill -SEGV $$", r"signal 11 .Segmentation fault"),
            ("echo ERROR: no such op; exit 1", "status 1: ERROR: no such op"),
            ("echo hello; exit 0", "not known: 'hello'"),
            ("head -c 300 /dev/urandom", "benchmark_model"),
            ("exit 0", "printed no figures"),
            ("$real \"$@\" 2>&1 | grep -v 'Inference timings'", "not whole"),
            ("$real \"$@\" 2>&1 | sed 's/ std=.*//'", "not known: 'INFO: count="),
            (
                "$real \"$@\" 2>&1 | sed -e '/Inference timings/q' | head -c -9",
                "not known|contradicts|not whole",
            ),
            ("echo '@12345678 0'; exec $real \"$@\"", "not known: '@12345678 0'"),
        ],
    )
    def test_faults_are_told_and_the_next_block_goes_on(
        self,
        own_phone: LoopbackPhone,
        runner: Path,
        artifact: Artifact,
        tmp_path: Path,
        script: str,
        reason: str,
    ) -> None:
        # In a round the first call is the reference's.
        path = scripted_runner(own_phone, runner, tmp_path, f'[ $n = 2 ] || exec $real "$@"\n{script}')
        found = AndroidPhone(card("pixel2"), "litert", Connection(own_phone.address, path))
        reference, session = found.open_all([artifact, artifact], found.setting(SettingRequest()))
        with pytest.raises(DeviceError, match=reason) as caught:
            found.round(reference, session, 3, 0.0)
        assert not isinstance(caught.value, DeviceUnavailableError) and "\n" not in str(caught.value)
        assert found.round(reference, session, 3, 0.0).samples[0].inner_runs == 3
        found.close()
        assert left_on(own_phone) == []

    @pytest.mark.parametrize("script", ["sleep 60", "trap '' HUP INT TERM; while :; do sleep 0.1; done"])
    def test_one_that_hangs_is_stopped(
        self, own_phone: LoopbackPhone, runner: Path, artifact: Artifact, tmp_path: Path, script: str
    ) -> None:
        path = scripted_runner(own_phone, runner, tmp_path, f'[ $n = 2 ] || exec $real "$@"\n{script}')
        found = AndroidPhone(impatient(tmp_path, deadline_s=2), "litert", Connection(own_phone.address, path))
        reference, session = found.open_all([artifact, artifact], found.setting(SettingRequest()))
        with pytest.raises(DeviceError, match="did not end within 2 s"):
            found.round(reference, session, 3, 0.0)
        assert found.round(reference, session, 3, 0.0).samples[0].inner_runs == 3
        found.close()
        assert left_on(own_phone) == []

    def test_one_for_another_machine_is_refused_before_any_block(
        self, own_phone: LoopbackPhone, tmp_path: Path
    ) -> None:
        (tmp_path / "runner").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(200))
        found = AndroidPhone(card("pixel2"), "litert", Connection(own_phone.address, tmp_path / "runner"))
        with pytest.raises(DeviceUnavailableError, match=r"does not start on this phone .arm64-v8a."):
            found.identity()
        assert left_on(own_phone) == []


class TestLink:
    def test_killed_while_it_times_it_is_taken_up_again(
        self, own_phone: LoopbackPhone, runner: Path, artifact: Artifact, tmp_path: Path
    ) -> None:
        path = scripted_runner(own_phone, runner, tmp_path, '[ $n = 2 ] && sleep 5\nexec $real "$@"')
        found = AndroidPhone(card("pixel2"), "litert", Connection(own_phone.address, path))
        reference, session = found.open_all([artifact, artifact], found.setting(SettingRequest()))
        after(0.5, own_phone.restart)
        assert found.round(reference, session, 3, 0.0).samples[0].inner_runs == 3
        found.close()
        assert left_on(own_phone) == []

    def test_killed_between_rounds_it_is_taken_up_again(
        self, pixel2: AndroidPhone, own_phone: LoopbackPhone, artifact: Artifact
    ) -> None:
        session = pixel2.open(artifact, pixel2.setting(SettingRequest()))
        own_phone.restart()
        assert session.time(2)[0].inner_runs == 2
        pixel2.close()
        assert left_on(own_phone) == []

    def test_killed_during_a_push_it_is_pushed_again(
        self, own_phone: LoopbackPhone, runner: Path, artifact: Artifact, tmp_path: Path
    ) -> None:
        with own_phone.slow(0.005) as address:
            found = AndroidPhone(card("pixel2"), "litert", Connection(address, runner))
            found.identity()
            big = tmp_path / "big.tflite"
            big.write_bytes(artifact.path.read_bytes() + bytes(12 * 2**20))
            large = Artifact("tflite", big, "", artifact.inputs, 1, "fp32")
            after(0.05, own_phone.restart)
            found.open(large, found.setting(SettingRequest())).time(1)
            found.close()
        assert left_on(own_phone) == []

    def test_a_phone_that_stays_away_ends_it(
        self,
        pixel2: AndroidPhone,
        own_phone: LoopbackPhone,
        artifact: Artifact,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("zenbench.devices.android.phone.RECONNECT_S", 0.5)
        session = pixel2.open(artifact, pixel2.setting(SettingRequest()))
        own_phone.kill()
        with pytest.raises(DeviceUnavailableError):
            session.time(1)
        assert left_on(own_phone) == []

    def test_a_folder_that_somebody_removed_is_made_again(
        self, pixel2: AndroidPhone, own_phone: LoopbackPhone, artifact: Artifact
    ) -> None:
        session = pixel2.open(artifact, pixel2.setting(SettingRequest()))
        pixel2._linked()._adb.shell("rm -rf /data/local/tmp/zenbench", 5)
        assert session.time(1)[0].inner_runs == 1

    def test_a_slow_phone_takes_longer_and_no_more(
        self, own_phone: LoopbackPhone, runner: Path, artifact: Artifact
    ) -> None:
        with own_phone.slow(0.03) as address:
            found = AndroidPhone(card("pixel2"), "litert", Connection(address, runner))
            assert found.open(artifact, found.setting(SettingRequest())).time(2)[0].inner_runs == 2
            found.close()
        assert left_on(own_phone) == []

    def test_two_phones_at_once(
        self, own_phone: LoopbackPhone, runner: Path, artifact: Artifact, user: str, tmp_path: Path
    ) -> None:
        with LoopbackPhone(tmp_path / "second") as second:
            second.authorise(user)
            both = [
                AndroidPhone(card("pixel2"), "litert", Connection(phone.address, runner))
                for phone in (own_phone, second)
            ]
            sessions = [one.open(artifact, one.setting(SettingRequest())) for one in both]
            for session in sessions:
                assert session.time(2)[0].inner_runs == 2
            assert [one.versions()["serial"] for one in both] == [own_phone.address, second.address]
            for one in both:
                one.close()
            assert left_on(own_phone) == left_on(second) == []


class TestDisk:
    def test_a_full_one_ends_it_and_is_told(
        self, user: str, runner: Path, artifact: Artifact, tmp_path: Path
    ) -> None:
        with LoopbackPhone(tmp_path / "small", disk_bytes=2**19) as phone:
            phone.authorise(user)
            found = AndroidPhone(card("pixel2"), "litert", Connection(phone.address, runner))
            with pytest.raises(DeviceUnavailableError, match=r"(?i)no space"):
                found.open_all([artifact] * 9, found.setting(SettingRequest()))
            found.close()
            assert left_on(phone) == []

    def test_a_read_only_one_ends_it_and_is_told(
        self, pixel2: AndroidPhone, own_phone: LoopbackPhone
    ) -> None:
        own_phone.set_read_only(read_only=True)
        with pytest.raises(DeviceUnavailableError, match=r"(?i)read-only"):
            pixel2.identity()
