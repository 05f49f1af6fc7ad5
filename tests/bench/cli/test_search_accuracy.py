"""`zenbench search --train-on`: the most accurate finalist within the budget is the answer."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_images import CLASSES, SIZE, images, toy_data, toy_file
from zenbench.bench.cli.main import main
from zenbench.bench.cli.searches import accuracies
from zenbench.bench.training import halving
from zenbench.bench.training.halving import Halving

LIMITS = ("--macs", "1M", "--params", "40k", "--evaluations", "400", "--rescore", "none")
TRAINED = ("--finalists", "3", "--train-time", "100ms")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings of a few steps."""
    monkeypatch.setattr(halving, "_LEAST_STEPS", 1)


def search(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(["search", *arguments])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return int(caught.value.code or 0), captured.out, captured.err


def result(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return record


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return toy_file(tmp_path_factory.mktemp("data") / "toy.npz", train=160)


def test_the_most_accurate_finalist_wins_and_all_accuracies_are_told(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "found"
    code, answer, talk = search(capsys, *LIMITS, *TRAINED, "--train-on", data, "--out", str(out))
    assert code == 0 and "train: 3 finalists on" in talk and "round 2: 2 networks trained on" in talk
    record = result(out)
    trained = record["trained"]
    assert (record["resolution"], record["classes"]) == (SIZE, CLASSES)  # those of the images
    assert record["digest"] == trained[0]["digest"] and [one["round"] for one in trained] == [2, 2, 1]
    assert trained[0]["top1"] >= trained[1]["top1"] and trained[0]["test_top1"] is not None
    assert all(one["digest"] in answer for one in trained)
    weights = out / trained[0]["folder"] / "weights.safetensors"
    assert weights.exists() and f"--weights {weights}" in talk
    with (out / "best.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["digest"] for row in rows[:3]] == [one["digest"] for one in trained]
    assert not any(row["top1"] for row in rows[3:])
    with pytest.raises(SystemExit) as caught:
        main(["report", str(out)])
    page = (out / "report.html").read_text()
    assert not caught.value.code and "the most accurate first" in page and "<th>accuracy" in page


def test_a_repetition_takes_the_accuracies_of_the_record(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "found"
    search(capsys, *LIMITS, *TRAINED, "--train-on", data, "--out", str(out))
    record = result(out)
    # The order of the accuracies says who wins, not the score.
    record["trained"] = record["trained"][::-1]
    (out / "result.json").write_text(json.dumps(record))
    monkeypatch.setattr(Halving, "run", None)
    again = ("--repeat", str(out / "result.json"), "--out", str(tmp_path / "again"), "--rescore", "none")
    assert search(capsys, *again)[0] == 0
    assert result(tmp_path / "again")["digest"] == record["trained"][0]["digest"]
    assert result(tmp_path / "again")["trained"] == record["trained"]
    code, _, talk = search(capsys, *again, "--train-on", data)
    assert code == 2 and "leave out --train-on" in talk
    for damaged in ([3], [{}], {}, [{**record["trained"][0], "top1": "much"}]):
        (out / "result.json").write_text(json.dumps({**record, "trained": damaged}))
        code, _, talk = search(capsys, *again)
        assert code == 2 and "does not say how accurate the finalists were" in talk


def test_an_interrupted_training_goes_on_when_the_search_is_run_again(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = (*LIMITS, *TRAINED, "--train-on", data, "--out", str(tmp_path / "found"))

    def interrupted(ranked: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(accuracies, "_round_line", interrupted)
        assert search(capsys, *given)[0] == 130
    cards = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("training.json")}
    assert len(cards) == 3
    code, _, talk = search(capsys, *given)
    assert code == 0 and "going on in" in talk and len(result(tmp_path / "found")["trained"]) == 3
    assert {path: path.stat().st_mtime_ns for path in cards} == cards


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--resolution", "32"), "16 x 16, but the network takes 32 x 32"),
        (("--classes", "2"), "4 classes; give --classes 4 or more"),
        (("--front", "macs"), "--train-on chooses one network and --front many"),
        (("--finalists", "1"), "1 is not in the range"),
    ],
)
def test_what_cannot_be_is_said_before_the_search(
    given: tuple[str, ...], said: str, data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "found"
    code, _, talk = search(capsys, *LIMITS, *given, "--train-on", data, "--out", str(out))
    assert code == 2 and said in talk and not out.exists()


def test_data_without_a_known_form_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, talk = search(capsys, *LIMITS, "--train-on", str(tmp_path), "--out", str(tmp_path / "found"))
    assert code == 2 and "names no data set; give cifar10:DIR" in talk


def test_data_that_no_search_can_train_on_are_told_before_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = toy_file(tmp_path / "few.npz", train=9)
    other = tmp_path / "other.npz"
    data = toy_data()
    np.savez(
        other, x=images(32, 0).array, y=data.train.labels[:32], tx=images(8, 1, 24).array, ty=np.arange(8) % 4
    )
    for given, said in (
        (few, "finalists need 10 or more"),
        (f"npz:{other}", "24 x 24, but the network takes 16 x 16"),
    ):
        code, _, talk = search(capsys, *LIMITS, "--train-on", given, "--out", str(tmp_path / "found"))
        assert code == 2 and said in talk and not (tmp_path / "found").exists()


def test_the_folder_of_a_training_is_not_searched_in(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "training.json").write_text("{}")
    code, _, talk = search(capsys, *LIMITS, *TRAINED, "--train-on", data, "--out", str(tmp_path))
    assert code == 2 and "holds a training; choose another --out" in talk
