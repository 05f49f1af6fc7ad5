"""What the tests of commands share: running one in a folder and a home of its own."""

import json
from pathlib import Path

import pytest
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
