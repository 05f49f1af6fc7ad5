"""Doctor's checks on made-up systems."""

from pathlib import Path

import pytest
from zenbench.bench import doctor
from zenbench.bench.doctor import Boost, Governor, Home, Load, Memory, Packages, Power, Steal, examine
from zenbench.devices.base import DeviceState
from zenbench.devices.host import cpu


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_examines_this_machine_without_raising() -> None:
    findings = examine()
    assert {"python", "packages", "tables"} <= {finding.check for finding in findings}
    assert all(finding.advice for finding in findings if finding.status != "ok")


@pytest.mark.parametrize("governor, status", [("performance", "ok"), ("powersave", "warn")])
def test_governor(tmp_path: Path, governor: str, status: str) -> None:
    write(tmp_path / "devices/system/cpu/cpu0/cpufreq/scaling_governor", governor + "\n")
    finding = Governor(tmp_path).look()
    assert finding is not None and finding.status == status


@pytest.mark.parametrize(
    "file, value, status",
    [("cpufreq/boost", "1", "warn"), ("cpufreq/boost", "0", "ok"), ("intel_pstate/no_turbo", "0", "warn")],
)
def test_boost(tmp_path: Path, file: str, value: str, status: str) -> None:
    write(tmp_path / "devices/system/cpu" / file, value)
    finding = Boost(tmp_path).look()
    assert finding is not None and finding.status == status


def test_what_a_system_does_not_have_is_not_reported(tmp_path: Path) -> None:
    assert [check.look() for check in (Governor(tmp_path), Boost(tmp_path), Power(tmp_path))] == [None] * 3
    assert [check.look() for check in (Steal(tmp_path), Memory(tmp_path))] == [None] * 2


@pytest.mark.parametrize("stolen, status", [(0, "ok"), (500, "warn")])
def test_steal(tmp_path: Path, stolen: int, status: str) -> None:
    write(tmp_path / "stat", f"cpu 1000 0 1000 8000 0 0 0 {stolen} 0 0\n")
    finding = Steal(tmp_path).look()
    assert finding is not None and finding.status == status


@pytest.mark.parametrize("kib, status", [(8 * 2**20, "ok"), (2**18, "warn")])
def test_memory(tmp_path: Path, kib: int, status: str) -> None:
    write(tmp_path / "meminfo", f"MemTotal: 1 kB\nMemAvailable: {kib} kB\n")
    finding = Memory(tmp_path).look()
    assert finding is not None and finding.status == status


@pytest.mark.parametrize("online, status", [("1", "ok"), ("0", "warn")])
def test_power(tmp_path: Path, online: str, status: str) -> None:
    write(tmp_path / "class/power_supply/AC/online", online)
    finding = Power(tmp_path).look()
    assert finding is not None and finding.status == status


@pytest.mark.parametrize("load, status", [(0.1, "ok"), (3.0, "warn")])
def test_load(monkeypatch: pytest.MonkeyPatch, load: float, status: str) -> None:
    monkeypatch.setattr(cpu, "state", lambda: DeviceState(load_1min=load))
    finding = Load().look()
    assert finding is not None and finding.status == status


def test_missing_packages_come_with_the_command_that_installs_them() -> None:
    finding = Packages(("click", "no-such-package")).look()
    assert finding.status == "fail"
    assert finding.advice.endswith("pip install no-such-package")


def test_home_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "home", lambda: tmp_path / "below")
    monkeypatch.setattr("os.access", lambda path, mode: False)
    finding = Home().look()
    assert finding.status == "fail" and "ZENBENCH_HOME" in finding.advice


@pytest.mark.parametrize(
    "supplies, status",
    [
        ({"a-usb": ("USB", "0"), "mains": ("Mains", "1")}, "ok"),
        ({"mains": ("Mains", "0"), "mouse": ("Battery", "1")}, "warn"),
    ],
    ids=["an idle USB port", "a wireless mouse"],
)
def test_power_is_not_told_by_other_supplies(
    tmp_path: Path, supplies: dict[str, tuple[str, str]], status: str
) -> None:
    for name, (kind, online) in supplies.items():
        write(tmp_path / "class/power_supply" / name / "type", kind)
        write(tmp_path / "class/power_supply" / name / "online", online)
    finding = Power(tmp_path).look()
    assert finding is not None and finding.status == status


def test_a_runtime_that_cannot_be_loaded_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str, runtime: str) -> None:
        raise ModuleNotFoundError("No module named 'onnxruntime.capi'", name="onnxruntime.capi")

    monkeypatch.setattr(doctor, "device", broken)
    findings = [finding for finding in examine() if finding.check.startswith("device ")]
    assert findings and all(finding.status == "fail" for finding in findings)
    assert all(finding.advice.endswith(" onnxruntime") for finding in findings)


@pytest.mark.parametrize("check, file", [(Steal, "stat"), (Memory, "meminfo")])
def test_a_reading_in_an_unknown_form_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, check: type[Steal] | type[Memory], file: str
) -> None:
    write(tmp_path / file, "MemAvailable: lots\n")
    monkeypatch.setattr(doctor, "checks", lambda: (check(tmp_path),))
    assert [finding.status for finding in examine()] == ["warn"]
