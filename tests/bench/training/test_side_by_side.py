"""Trainings side by side: a process that is lost, or data that do not fit, end all in one sentence."""

from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_images import CLASSES, SIZE, toy_data
from zenbench.bench.data_sets.reading import open_data
from zenbench.bench.training.precision import Place
from zenbench.bench.training.recipe import TrainingRecipe
from zenbench.bench.training.side_by_side import TrainingJob, train_all
from zenbench.bench.training.training import TrainingTask
from zenbench.errors import UserError
from zenbench.zen.network import parse_text

RECIPE = TrainingRecipe("toy", epochs=2000, batch=16, learning_rate_per_256=0.1)
NETWORK = parse_text("SuperConvK3BNRELU(3,8,2,1)SuperConvK1BNRELU(8,32,1,1)", SIZE, CLASSES)
TASK = TrainingTask(NETWORK, toy_data(), RECIPE, 0, Place("cpu", "fp32"))


def test_a_lost_process_ends_the_others_too(tmp_path: Path) -> None:
    def killing(at: int, share: float) -> None:
        active_children()[0].kill()

    jobs = [TrainingJob(TASK, tmp_path / str(number), "") for number in range(2)]
    with pytest.raises(UserError, match="a process that trained a network was killed"):
        train_all(jobs, 2, killing)
    assert not active_children()


def test_an_error_in_a_process_is_the_callers(tmp_path: Path) -> None:
    task = replace(TASK, recipe=replace(RECIPE, batch=1000))
    with pytest.raises(UserError, match="fewer than a batch"):
        train_all([TrainingJob(task, tmp_path / name, "") for name in ("one", "other")], 2, print)
    assert not active_children()


def test_images_in_files_are_trained_on_side_by_side(tmp_path: Path) -> None:
    for part, count in (("train", 16), ("val", 4)):
        for number in range(count):
            place = tmp_path / part / f"class {number % 2}"
            place.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (SIZE, SIZE), (90 * (number % 2), 3 * number, 0)).save(place / f"{number}.png")
    data = open_data(f"folder:{tmp_path}")
    assert data.train.pixels(np.arange(2), SIZE).shape == (2, SIZE, SIZE, 3)  # its threads have begun
    task = replace(TASK, data=data, recipe=replace(RECIPE, epochs=1, batch=8))
    cards = train_all(
        [TrainingJob(task, tmp_path / name, "") for name in ("one", "other")], 2, lambda *_: None
    )
    assert all(card is not None and len(card["history"]) == 1 for card in cards)
