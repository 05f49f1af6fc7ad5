"""`zenbench train`."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from toy_images import CLASSES, STRUCTURE, images, toy_file, toy_network
from zenbench.bench.cli.main import main
from zenbench.bench.export.weights_file import read_weights
from zenbench.bench.training import checkpoint


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(["train", *arguments])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return int(caught.value.code or 0), captured.out, captured.err


QUICK = ("--epochs", "2", "--batch", "16", "--precision", "fp32")


def test_the_weights_their_card_and_the_history_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = toy_file(tmp_path / "toy.npz"), tmp_path / "trained"
    code, answer, talk = run(capsys, STRUCTURE, "--data", data, "--out", str(out), *QUICK, "--format", "json")
    (record,) = json.loads(answer)
    assert code == 0 and record["epochs"] == 2 and record["weights"] == str(out / "weights.safetensors")
    assert "4 classes, 64 images to train on, 32 to test on; fp32 on cpu" in talk
    tensors, card = read_weights(out / "weights.safetensors")
    assert card == json.loads((out / "training.json").read_text())
    assert card is not None and card["data"] == data and card["recipe"]["name"] == "quick"
    assert len(card["mean"]) == 3 and [one["epoch"] for one in card["history"]] == [1, 2]
    assert any(name.endswith("running_mean") for name in tensors)
    with (out / "history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]
    assert not (out / checkpoint.NAME).exists()


def test_a_finished_training_is_not_done_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = (STRUCTURE, "--data", toy_file(tmp_path / "toy.npz"), "--out", str(tmp_path / "trained"), *QUICK)
    _, first, _ = run(capsys, *given)
    before = (tmp_path / "trained/weights.safetensors").stat()
    code, again, talk = run(capsys, *given)
    assert code == 0 and again == first and "already, finished" in talk
    assert (tmp_path / "trained/weights.safetensors").stat() == before
    code, answer, talk = run(capsys, *given, "--seed", "1")
    assert (code, answer) == (2, "") and "another finished training; give another --out" in talk


def test_held_out_training_images_are_tested_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = toy_file(tmp_path / "toy.npz"), tmp_path / "trained"
    run(capsys, STRUCTURE, "--data", data, "--out", str(out), *QUICK, "--hold-out", "16")
    card = json.loads((out / "training.json").read_text())
    assert (card["training_images"], card["test_images"]) == (48, 16)


def test_what_was_trained_can_be_named_as_a_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = toy_file(tmp_path / "toy.npz"), tmp_path / "trained"
    run(capsys, STRUCTURE, "--data", data, "--out", str(out), *QUICK)
    with pytest.raises(SystemExit):
        main(["cost", str(out / "training.json"), "--format", "json"])
    (record,) = json.loads(capsys.readouterr().out)
    assert record["digest"] == toy_network().digest


def test_a_folder_of_images_is_trained_on_at_the_resolution_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part, count in (("train", 16), ("val", 4)):
        toy = images(CLASSES * count, seed=count, size=24)
        for number, (pixels, label) in enumerate(zip(toy.array, toy.labels, strict=True)):
            place = tmp_path / "images" / part / f"class-{label}"
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(place / f"{number}.png")
    given = (STRUCTURE, "--data", f"folder:{tmp_path / 'images'}", "--out", str(tmp_path / "trained"))
    code, out, talk = run(capsys, *given, *QUICK, "--resolution", "16", "--format", "json")
    assert code == 0 and "4 classes, 64 images to train on, 16 to test on" in talk
    broken = tmp_path / "images/train/class-0/0.png"
    broken.write_bytes(b"no image")
    code, out, talk = run(
        capsys, *given, *QUICK, "--resolution", "16", "--seed", "1", "--out", str(tmp_path / "o")
    )
    assert (code, out) == (2, "") and f"{broken} is no image that can be read; delete it" in talk


def test_a_killed_training_goes_on(tmp_path: Path) -> None:
    data, out = toy_file(tmp_path / "toy.npz", train=4096), tmp_path / "trained"
    command = [
        *(str(Path(sys.executable).with_name("zenbench")), "train", STRUCTURE, "--data", data),
        *("--out", str(out), "--epochs", "40", "--batch", "16", "--precision", "fp32"),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"}) as one:
        limit = time.monotonic() + 120
        while not (out / checkpoint.NAME).exists() and time.monotonic() < limit:
            time.sleep(0.05)
        one.send_signal(signal.SIGKILL)
    assert (out / checkpoint.NAME).exists() and not (out / "training.json").exists()
    state = checkpoint.resume(out, _task_of(out))
    assert state is not None and 0 < state["epoch"] < 40
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as two:
        assert two.stderr is not None
        talk = ""
        for line in two.stderr:
            talk += line
            if "going on in epoch" in line:
                two.send_signal(signal.SIGINT)
                break
        talk += two.stderr.read()
    assert "going on in epoch" in talk and two.returncode == 130, talk


def _task_of(folder: Path) -> dict[str, object]:
    import torch

    content = (folder / checkpoint.NAME).read_bytes()
    saved = torch.load(BytesIO(content[32:]), weights_only=True)  # behind its digest
    task: dict[str, object] = saved["task"]
    return task


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--data", "toy.npz"), "'toy.npz' names no data set; give cifar10:DIR"),
        (("--data", "npz:nowhere.npz"), "there is no file nowhere.npz"),
        (("--data", "{data}", "--recipe", "slow"), "there is no recipe 'slow'; known are quick"),
        (("--data", "{data}", "--epochs", "0"), "epochs is 0; it must be from 1"),
        (("--data", "{data}", "--learning-rate", "-1"), "learning_rate_per_256 is -1; it must be"),
        (("--data", "{data}", "--classes", "3"), "has 4 classes, but the network tells 3 apart"),
        (("--data", "{data}", "--resolution", "32"), "are 16 x 16, but the network takes 32 x 32"),
        (("--data", "{data}", "--hold-out", "64"), "64 of the 64 training images cannot be held out"),
        (("--data", "{data}", "--out", "{search}"), "holds a search; give the training a folder of its own"),
    ],
)
def test_mistakes_are_told_in_one_sentence(
    arguments: tuple[str, ...], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = toy_file(tmp_path / "toy.npz")
    search = tmp_path / "search"
    search.mkdir()
    (search / "result.json").write_text("{}")
    filled = [one.format(data=data, search=search) for one in arguments]
    code, out, talk = run(capsys, STRUCTURE, "--out", str(tmp_path / "out"), *QUICK, *filled)
    assert (code, out) == (2, "") and sentence in talk
    assert talk.count("zenbench:") <= 1


def test_a_file_keeps_its_resolution(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "network.json"
    path.write_text(json.dumps({**toy_network().to_json(), "resolution": 32}))
    code, _, talk = run(
        capsys, str(path), "--data", toy_file(tmp_path / "toy.npz"), "--out", str(tmp_path / "o")
    )
    assert code == 2 and "give --resolution 16" in talk
