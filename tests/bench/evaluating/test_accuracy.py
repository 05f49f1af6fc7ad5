"""Top-1 and top-5: counted right, whatever the batches."""

import numpy as np
import pytest
from toy_images import CLASSES, SIZE, images
from zenbench.bench.data_sets.data_set import Pixels
from zenbench.bench.evaluating.accuracy import Accuracy, Scores, accuracy, ranks


def test_ranks_count_the_classes_before_the_right_one() -> None:
    scores = np.array([[1.0, 3.0, 2.0], [1.0, 3.0, 2.0], [5.0, 5.0, 5.0]], np.float32)
    assert ranks(scores, np.array([1, 0, 2])).tolist() == [0, 2, 2]


def test_what_is_no_number_is_never_right() -> None:
    assert ranks(np.full((2, 3), np.nan, np.float32), np.array([0, 2])).tolist() == [3, 3]


def test_all_images_are_asked_about_once() -> None:
    some = images(600, 0)
    told: list[int] = []

    def scores(pixels: Pixels) -> Scores:
        """Sees three of the four colours."""
        found = np.zeros((len(pixels), CLASSES), np.float32)
        found[:, :3] = pixels.mean((1, 2))
        return found

    found = accuracy(scores, some, SIZE, told.append)
    assert (found.images, told[-1]) == (600, 600) and told == sorted(told)
    assert found.top1 == pytest.approx(0.75) and found.top5 == 1
    assert found.standard_error == pytest.approx((0.75 * 0.25 / 600) ** 0.5)
    assert Accuracy(10, 1.0, 1.0).standard_error == 0
