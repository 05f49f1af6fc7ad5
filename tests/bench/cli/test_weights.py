"""`zenbench export` and `measure` with --weights, and int8 calibrated on a data set."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy_images import CLASSES, SIZE, STRUCTURE, images, toy_data, toy_file
from zenbench.bench.data_sets.statistics import ChannelStatistics
from zenbench.bench.export.parity import gaussian
from zenbench.bench.export.running import onnx_runner
from zenbench.bench.export.weights_file import weights_digest, write_weights
from zenbench.zen.module import initialise
from zenbench.zen.network import parse_text

SIZES = ("--resolution", str(SIZE), "--classes", str(CLASSES))
CARD = {"resolution": SIZE, "classes": CLASSES, "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
MODULE = initialise(parse_text(STRUCTURE, SIZE, CLASSES).graph(), seed=5)


@pytest.fixture
def weights(tmp_path: Path) -> str:
    path = tmp_path / "w.safetensors"
    write_weights(path, MODULE.state_dict(), CARD)
    return str(path)


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """Weights without a card."""
    torch.save(MODULE.state_dict(), tmp_path / "w.pt")
    return str(tmp_path / "w.pt")


def step_of_the_input(name: str) -> float:
    scale: float = json.loads(Path(f"{name}.json").read_text())["scales"]["input"]
    return scale


def test_a_file_computes_what_its_weights_say(run: Any, weights: str, bare: str) -> None:
    x = gaussian((2, 3, SIZE, SIZE))
    with torch.no_grad():
        expected = MODULE(torch.from_numpy(x)).numpy()
    for given in ((weights,), (bare, *SIZES)):
        assert run("export", STRUCTURE, "--onnx", "n.onnx", "--weights", *given).code == 0
        assert np.allclose(onnx_runner(Path("n.onnx"))(x), expected, atol=1e-4)
        record = json.loads(Path("n.onnx.json").read_text())
        assert record["weights_sha256"] == weights_digest(Path(given[0]))
    run("export", STRUCTURE, "--onnx", "n.onnx", "--weights", weights)
    record = json.loads(Path("n.onnx.json").read_text())
    assert (record["mean"], record["std"]) == (CARD["mean"], CARD["std"])


def test_ranges_are_those_of_images_as_the_network_sees_them(run: Any, weights: str, bare: str) -> None:
    data, int8 = toy_file(Path("toy.npz")), ("--int8", "--onnx", "n.onnx", "--calibrate")
    train = toy_data().train
    pixels = train.pixels(np.arange(len(train.labels)), SIZE)
    by_card = ChannelStatistics(CARD["mean"], CARD["std"])  # type: ignore[arg-type]
    for given, statistics in (((weights,), by_card), ((bare, *SIZES), ChannelStatistics.of(train, SIZE))):
        assert run("export", STRUCTURE, *int8, data, "--weights", *given).code == 0
        most = np.abs(statistics.normalised(pixels)).max() / 127
        # Some of the images are kept for the check, and a few values may lie outside.
        assert 0.9 * most < step_of_the_input("n.onnx") <= 1.001 * most


def test_a_file_of_images_still_calibrates(run: Any) -> None:
    np.save("images.npy", 3 * gaussian((6, 3, SIZE, SIZE)))
    files = ("--tflite", "n.tflite", "--onnx", "n.onnx")
    done = run("export", STRUCTURE, *SIZES, "--int8", *files, "--calibrate", "images.npy")
    assert done.code == 0, done.err
    assert step_of_the_input("n.onnx") > 8 / 127


def test_batches_are_filled_from_what_there_is(run: Any, weights: str) -> None:
    data, given = toy_file(Path("toy.npz")), ("--int8", "--onnx", "n.onnx", "--weights", weights)
    assert run("export", STRUCTURE, *given, "--batch", "32", "--calibrate", data).code == 0
    refused = run("export", STRUCTURE, *given, "--batch", "33", "--calibrate", data)
    assert refused.code == 2 and "has 64 training images; calibration takes two batches, 66" in refused.err


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (("--calibrate", "npz:wide.npz"), "are 32 x 32, but the network takes 16 x 16; give --resolution 32"),
        (("--calibrate", "npz:none.npz"), "there is no file none.npz"),
        (("--calibrate", "none.npz"), "none.npz cannot be read: No such file"),
    ],
)
def test_data_that_do_not_fit_are_one_sentence(
    run: Any, weights: str, options: tuple[str, ...], fault: str
) -> None:
    wide = images(4, 0, size=32)
    np.savez("wide.npz", x=wide.array, y=wide.labels, tx=wide.array, ty=wide.labels)
    refused = run("export", STRUCTURE, "--int8", "--onnx", "n.onnx", "--weights", weights, *options)
    assert refused.code == 2 and fault in refused.err and refused.err.count("\n") == 1
    assert not Path("n.onnx").exists()


def test_one_network_is_measured_with_its_weights(run: Any, weights: str) -> None:
    done = run("measure", STRUCTURE, "--weights", weights, "--format", "json")
    (record,) = done.json()
    assert done.code == 0 and record["latency_ms"] > 0
    assert (record["resolution"], record["classes"]) == (SIZE, CLASSES), "the card knows"
    lines = Path("measured.journal.jsonl").read_text().splitlines()
    subjects = {json.loads(line).get("subject") for line in lines}
    assert any(one and one.endswith(weights_digest(Path(weights))[:16]) for one in subjects)


def test_other_subjects_are_not_measured_with_weights(run: Any, weights: str) -> None:
    run("export", STRUCTURE, "--onnx", "n.onnx", *SIZES)
    for networks, fault in (
        ((STRUCTURE, "zoo:resnet-18"), "--weights belong to one network"),
        (("n.onnx",), "--weights belong to one network"),
        (("SuperConvK3BNRELU(3,8,2,1)",), "it belongs to another network"),
        ((STRUCTURE, "--classes", "7"), "but this network's is 7"),
    ):
        refused = run("measure", *networks, "--weights", weights)
        assert refused.code == 2 and fault in refused.err and refused.err.count("\n") == 1
    assert not list(Path().glob("*.jsonl"))


def test_a_network_is_not_written_over_itself(run: Any) -> None:
    run("export", STRUCTURE, "--onnx", "n.onnx", *SIZES)
    before = Path("n.onnx").read_bytes()
    refused = run("export", "n.onnx", "--onnx", "./n.onnx")
    assert refused.code == 2 and "n.onnx is the network itself" in refused.err
    assert Path("n.onnx").read_bytes() == before
