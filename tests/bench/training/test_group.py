"""Several processes: they train one network, and each takes its share of the images."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from toy_images import CLASSES, STRUCTURE, images, toy_data, toy_file, toy_network
from zenbench.bench.data_sets.data_set import DataSet
from zenbench.bench.data_sets.image_folder import FolderImages
from zenbench.bench.export.weights_file import read_weights
from zenbench.bench.training.batches import Batches
from zenbench.bench.training.group import ProcessGroup
from zenbench.bench.training.recipe import TrainingRecipe

RECIPE = TrainingRecipe("toy", epochs=1, batch=16, learning_rate_per_256=0.4, flip=False, crop="none")


def test_processes_share_a_batch() -> None:
    def batches(group: ProcessGroup) -> Batches:
        return Batches(toy_data(), toy_network(), RECIPE, 0, "cpu", group)

    whole = batches(ProcessGroup()).batch(0, 1).labels.tolist()
    shares = [batches(ProcessGroup(rank, 2)).batch(0, 1).labels.tolist() for rank in (0, 1)]
    assert [shares[0], shares[1]] == [whole[0::2], whole[1::2]]


def test_batches_from_files_are_made_ahead_and_are_the_same(tmp_path: Path) -> None:
    paths = []
    for number, pixels in enumerate(images(32, 0).array):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(pixels).save(paths[-1])
    files = FolderImages(paths, images(32, 0).labels)
    data = DataSet("files", CLASSES, files, files)
    steps = [(0, 0), (0, 1), (1, 0), (1, 1)]
    found = []
    for order in (steps, steps[2:]):  # the second goes on in epoch 1
        batches = Batches(data, toy_network(), replace(RECIPE, crop="area"), 0, "cpu", ProcessGroup())
        found.append([batches.batch(*step).images for step in order])
    assert all(torch.equal(one, other) for one, other in zip(found[0][2:], found[1], strict=True))
    assert not torch.equal(found[0][0], found[0][2])


def test_two_processes_train_one_network(tmp_path: Path) -> None:
    data = toy_file(tmp_path / "toy.npz")
    out = tmp_path / "trained"
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"),
        *(
            "--no-python",
            str(Path(sys.executable).with_name("zenbench")),
            "train",
            STRUCTURE,
            "--data",
            data,
            "--out",
            str(out),
        ),
        *("--batch", "16", "--epochs", "2", "--precision", "fp32", "--format", "json"),
    ]
    result = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count('"top1"') == 1
    tensors, card = read_weights(out / "weights.safetensors")
    assert card is not None and card["processes"] == 2 and len(card["history"]) == 2
    assert set(tensors) == set(toy_network_state())


def toy_network_state() -> dict[str, object]:
    from zenbench.zen.module import build_module

    return build_module(toy_network().graph()).state_dict()
