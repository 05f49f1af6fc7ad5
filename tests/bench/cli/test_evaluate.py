"""`zenbench evaluate`: networks and their exported files."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from toy_images import CLASSES, SIZE, STRUCTURE, toy_file
from zenbench.bench.cli.main import main
from zenbench.bench.export.weights_file import write_weights
from zenbench.zen.module import initialise
from zenbench.zen.network import parse_text


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return int(caught.value.code or 0), captured.out, captured.err


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a trained network and its files, and the data."""
    folder = tmp_path_factory.mktemp("trained")
    data, network = toy_file(folder / "toy.npz", train=512, test=256), str(folder / "training.json")
    commands = [
        ["train", STRUCTURE, "--data", data, "--out", str(folder), "--epochs", "4", "--batch", "16"],
        *(
            [
                *("export", network, "--weights", str(folder / "weights.safetensors")),
                *(
                    "--onnx",
                    str(folder / f"{name}.onnx"),
                    "--tflite",
                    str(folder / f"{name}.tflite"),
                    *options,
                ),
            ]
            for name, options in {
                "fp32": ["--batch", "3"],
                "fp16": ["--fp16"],
                "int8": ["--int8", "--calibrate", data],
            }.items()
        ),
    ]
    for command in commands:
        with pytest.raises(SystemExit) as caught:
            main(command)
        assert not caught.value.code
    return folder, data


def test_files_are_held_against_torch(trained: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    folder, data = trained
    files = [str(folder / f"{name}.{end}") for name in ("fp32", "fp16", "int8") for end in ("onnx", "tflite")]
    code, out, _ = run(capsys, "evaluate", *files, "--data", data, "--format", "json")
    torch, *others = json.loads(out)
    assert code == 0 and torch["runtime"] == "torch" and "loss" not in torch
    assert torch["top1"] > 2 / CLASSES and torch["images"] == 256
    assert [one["evaluated"] for one in others] == files
    assert [one["runtime"] for one in others[:2]] == ["onnxruntime", "litert"]
    assert [one["precision"] for one in others] == ["fp32"] * 2 + ["fp16"] * 2 + ["int8"] * 2
    for one in others:
        assert one["loss"] == pytest.approx(torch["top1"] - one["top1"])
        assert abs(one["loss"]) <= (0.02 if one["precision"] == "int8" else 0.005)


def test_the_accuracy_of_a_training_comes_back(
    trained: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, data = trained
    last = json.loads((folder / "training.json").read_text())["history"][-1]
    given = (str(folder / "training.json"), "--weights", str(folder / "weights.safetensors"), "--data", data)
    _, out, _ = run(capsys, "evaluate", *given, "--format", "json")
    assert json.loads(out)[0]["top1"] == pytest.approx(last["top1"], abs=0.01)  # that was in bf16, perhaps
    _, named, _ = run(capsys, "evaluate", STRUCTURE, *given[1:], "--format", "json")
    assert json.loads(named)[0]["top1"] == json.loads(out)[0]["top1"], "the card knows the sizes"
    _, out, _ = run(capsys, "evaluate", *given, "--images", "100", "--format", "json")
    assert json.loads(out)[0]["images"] == 100


def test_without_its_weights_a_file_is_evaluated_alone(
    trained: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, data = trained
    record = json.loads((folder / "fp32.onnx.json").read_text())
    (tmp_path / "net.onnx").write_bytes((folder / "fp32.onnx").read_bytes())
    (tmp_path / "net.onnx.json").write_text(json.dumps({**record, "weights": str(tmp_path / "gone")}))
    code, out, _ = run(capsys, "evaluate", str(tmp_path / "net.onnx"), "--data", data, "--format", "json")
    (one,) = json.loads(out)
    assert code == 0 and "loss" not in one and one["top1"] > 2 / CLASSES
    given = ("--weights", str(folder / "weights.safetensors"))
    _, out, _ = run(
        capsys, "evaluate", str(tmp_path / "net.onnx"), "--data", data, *given, "--format", "json"
    )
    assert [one["runtime"] for one in json.loads(out)] == ["torch", "onnxruntime"]
    assert json.loads(out)[1]["loss"] == pytest.approx(0, abs=0.005)


def test_weights_that_changed_since_are_not_compared_with(
    trained: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, data = trained
    weights, onnx = tmp_path / "w.safetensors", str(tmp_path / "net.onnx")
    shutil.copy(folder / "weights.safetensors", weights)
    run(capsys, "export", STRUCTURE, "--onnx", onnx, "--weights", str(weights))
    write_weights(weights, initialise(parse_text(STRUCTURE, SIZE, CLASSES).graph()).state_dict(), {})
    _, out, _ = run(capsys, "evaluate", onnx, "--data", data, "--format", "json")
    assert [one["runtime"] for one in json.loads(out)] == ["onnxruntime"]
    _, out, _ = run(
        capsys, "evaluate", onnx, STRUCTURE, "--weights", str(folder / "weights.safetensors"), "--data", data
    )
    assert "loss" in out, "these are what the file was exported with"
    code, _, talk = run(capsys, "evaluate", onnx, "--data", data, "--weights", str(weights))
    assert code == 2 and "no file was exported with it" in talk


@pytest.mark.parametrize("end", ["onnx", "tflite"])
def test_int8_files_without_their_record_are_evaluated(
    trained: tuple[Path, str], tmp_path: Path, end: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, data = trained
    alone = str(shutil.copy(folder / f"int8.{end}", tmp_path))
    _, out, talk = run(capsys, "evaluate", alone, "--data", data, "--format", "json")
    (one,) = json.loads(out)
    assert one["precision"] == "int8" and one["top1"] > 2 / CLASSES
    assert f"nothing says how images are normalised for {alone[:20]}" in talk


def test_seeded_weights_know_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, path = toy_file(tmp_path / "toy.npz"), str(tmp_path / "net.onnx")
    given = ("--resolution", "16", "--classes", str(CLASSES))
    run(capsys, "export", STRUCTURE, "--onnx", path, *given)
    code, out, _ = run(capsys, "evaluate", path, "--data", data, "--format", "json")
    assert code == 0 and 0 <= json.loads(out)[0]["top1"] < 1


def test_mistakes_are_told_in_one_sentence(
    trained: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, data = trained
    weights, onnx = str(folder / "weights.safetensors"), str(folder / "fp32.onnx")
    larger = tmp_path / "larger.npz"
    np.savez(
        larger,
        x=np.zeros((9, 16, 16), np.uint8),
        y=np.arange(9),
        tx=np.zeros((9, 16, 16), np.uint8),
        ty=np.arange(9),
    )
    wide = tmp_path / "wide.npz"
    np.savez(
        wide,
        x=np.zeros((4, 32, 32), np.uint8),
        y=np.arange(4),
        tx=np.zeros((4, 32, 32), np.uint8),
        ty=np.arange(4),
    )
    other = "SuperConvK3BNRELU(3,16,2,1)SuperConvK1BNRELU(16,32,1,1)"
    other_weights = tmp_path / "other.safetensors"
    write_weights(other_weights, initialise(parse_text(other, SIZE, CLASSES).graph()).state_dict(), {})
    for arguments, sentence in (
        ([STRUCTURE, "--data", data], "is a network, and needs the --weights"),
        ([other, "--data", data, "--weights", weights], "it belongs to another network"),
        (
            [str(tmp_path / "none.onnx"), "--data", data],
            "none.onnx cannot be read: No such file or directory",
        ),
        ([onnx, "--data", f"npz:{larger}"], "has 9 classes, but"),
        ([onnx, "--data", f"npz:{wide}"], " takes 16 x 16"),
        ([onnx, "--data", data, "--weights", str(other_weights)], "and no file was exported with it"),
        ([onnx, "--data", data, "--weights", "none.safetensors"], "there is no weights file"),
        ([onnx, "--data", "toy.npz"], "'toy.npz' names no data set"),
    ):
        code, out, talk = run(capsys, "evaluate", *arguments)
        assert (code, out) == (2, "") and sentence in talk and talk.count("\n") == 1
