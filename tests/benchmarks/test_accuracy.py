"""The benchmark of accuracy, run small on the made-up device: what it leaves, and that it goes on."""

import csv
import importlib.util
from pathlib import Path

import pytest
from places import ROOT
from zenbench.bench.comparing.agreement import agree
from zenbench.bench.latency_files.latency_rows import read_rows
from zenbench.latency_tables.table import LatencyTable

SCRIPT = ROOT / "benchmarks" / "accuracy.py"


def accuracy(folder: Path, networks: int) -> None:
    spec = importlib.util.spec_from_file_location("accuracy", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.HOLD_OUT_RESOLUTIONS = (32,)
    module.RESOLUTIONS = (32,)
    small = ["--device", "simulated", "--blocks", "36", "--threads", "1", "--threads", "2"]
    module.main([*small, "--networks", str(networks), "--out", str(folder)])


def test_every_setting_leaves_its_files_and_a_line_of_the_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    accuracy(tmp_path, 4)
    assert "noise ceiling" in capsys.readouterr().out
    with (tmp_path / "summary.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["setting"].split("/")[3] for line in lines] == ["t1", "t2"]
    for line, threads in zip(lines, (1, 2), strict=True):
        folder = tmp_path / f"simulated-t{threads}"
        table = LatencyTable.load(folder / f"simulated-fp32-b1-t{threads}.csv")
        measured, predicted = (read_rows(folder / f"{name}.csv") for name in ("measured", "predicted"))
        assert {row.digest for row in measured} == {network.digest for network in table.hold_out}
        assert agree(measured, predicted).mape == pytest.approx(float(line["mape"]), rel=1e-3)
        assert int(line["calibrating"]) == len(table.networks) > 0
    journals = {path: path.read_bytes() for path in tmp_path.rglob("*.jsonl")}
    accuracy(tmp_path, 4)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.jsonl")} == journals
