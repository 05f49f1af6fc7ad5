"""What the tests of commands share: running one in a folder and a home of its own."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from toys import STEM
from zenbench.bench.cli.main import main


class Run:
    """What a command left: exit code, standard output and standard error."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def json(self) -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(self.out)
        return found


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    monkeypatch.setenv("ZENBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Run:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Run(int(caught.value.code or 0), captured.out, captured.err)

    return call


OTHERS = tuple(
    f"{STEM}SuperRes{kernels}(8,{width},2,8,1)SuperConvK1BNRELU({width},32,1,1)"
    for kernels in ("K3K3", "K1K3K1", "K5K5")
    for width in (16, 24, 32)
)
"""Networks within the search's other limits, measured and predicted beside the found one."""


@pytest.fixture(scope="session")
def full_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder in which nothing is missing: profile, search, measurements and predictions.

    Read only: a test that changes it works on a copy.
    """
    folder = tmp_path_factory.mktemp("full") / "run"
    device = ("--device", "simulated")
    size = ("--resolution", "16", "--classes", "10")
    table = ("--table", str(folder / "table.csv"))
    networks = (str(folder / "network.json"), *OTHERS)
    small = ("--layers", "8", "--evaluations", "800", "--population", "32")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZENBENCH_HOME", str(folder.parent / "home"))
        for arguments in (
            ("profile", *device, "--space", "resnet", "--resolution", "16", "--blocks", "40", *table),
            ("search", *device, *size, *small, "--latency", "0.3ms", *table, "--out", str(folder)),
            ("measure", *device, *size, *networks, "--out", str(folder / "measured.csv")),
            ("predict", *device, *size, *networks, *table, "--out", str(folder / "predicted.csv")),
        ):
            with pytest.raises(SystemExit) as ended:
                main(list(arguments))
            assert ended.value.code == 0, arguments
    return folder


@pytest.fixture
def folder(full_run: Path, tmp_path: Path) -> Path:
    """A copy of the full run, to be changed."""
    return shutil.copytree(full_run, tmp_path / "run")


@pytest.fixture
def unmeasured(folder: Path) -> Path:
    """A full run whose search is of a time when searches did not measure."""
    path = folder / "result.json"
    record = json.loads(path.read_text("utf-8"))
    for name in ("verdicts", "finalists", "loads"):
        del record[name]
    path.write_text(json.dumps(record))
    with (folder / "best.csv").open(newline="") as file:
        rows = [row[:9] for row in csv.reader(file)]
    with (folder / "best.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder
