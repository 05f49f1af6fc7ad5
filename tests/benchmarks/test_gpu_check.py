"""The check of a GPU, run whole on the made-up device: every part leaves its figures or its error."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from places import ROOT
from zenbench.devices.base import Requirement
from zenbench.devices.simulated import SimulatedDevice

CHECK = ROOT / "benchmarks" / "gpu_check.py"
SMALL = ("--device", "simulated", "--blocks", "12", "--networks", "3", "--repeats", "1")


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_check", CHECK)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "SCORED", ("zennet-cifar-0.5m",))
    monkeypatch.setattr(module, "RESOLUTIONS", (32,))
    return module


def report(check: ModuleType, folder: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    code = check.main([*SMALL, "--out", str(folder), *arguments])
    return code, json.loads((folder / "gpu_check.json").read_text())


def test_every_part_leaves_its_figures(check: ModuleType, tmp_path: Path) -> None:
    code, found = report(check, tmp_path)
    assert code == 0
    runtime, scores = found["parts"]["simulated"], found["parts"]["zen_score"]
    assert runtime["blocks"] == 12 == sum(runtime["verdicts"].values())
    assert runtime["agreement"]["count"] == 3 and 0 < runtime["agreement"]["mape"] < 1
    assert runtime["setting"] == "simulated/fp32/b1/t1/free"
    assert scores["scores"]["zennet-cifar-0.5m"]["ms_per_repeat"] > 0
    names = ("table.csv", "table.journal.jsonl", "measured.csv", "predicted.csv")
    assert all((tmp_path / "simulated" / name).is_file() for name in names)


def test_a_part_that_fails_keeps_no_other_from_running(
    check: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr(SimulatedDevice, "open", refuse)
    code, found = report(check, tmp_path)
    assert code == 1
    assert found["parts"]["simulated"]["error"] == "RuntimeError: no room"
    assert "scores" in found["parts"]["zen_score"]


def test_without_a_gpu_it_says_so(
    check: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = [Requirement("GPU", False, "none", "a computer with an NVIDIA GPU")]
    monkeypatch.setattr(SimulatedDevice, "requirements", lambda device: missing)
    assert check.main([*SMALL, "--out", str(tmp_path / "out")]) == 3
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "for simulated, GPU (none): a computer with an NVIDIA GPU" in told
    assert not (tmp_path / "out").exists()


def test_unknown_devices_are_refused(check: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["--device", "toaster"]) == 2
    assert "no device is called 'toaster'" in capsys.readouterr().err
