"""Random changes of a batch: each changes what it says and nothing else, by the random numbers alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_images import images
from zenbench.bench.training.augmenting import erase, mixed, moved, normalised
from zenbench.bench.training.auto_augment import _OPERATIONS, auto_augmented, policy
from zenbench.bench.training.recipe import TrainingRecipe

PLAIN = TrainingRecipe("plain", 1, 16, 0.1, flip=False, crop="none")
PIXELS = images(16, 0).array


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_nothing_moves_unless_asked() -> None:
    assert np.array_equal(moved(PIXELS, PLAIN, random()), PIXELS)


def test_images_are_mirrored_or_not() -> None:
    found = moved(PIXELS, replace(PLAIN, flip=True), random())
    mirrored = [np.array_equal(one, image[:, ::-1]) for one, image in zip(found, PIXELS, strict=True)]
    same = [np.array_equal(one, image) for one, image in zip(found, PIXELS, strict=True)]
    assert 0 < sum(mirrored) < 16 and [not one for one in mirrored] == same


def test_a_padded_crop_shifts_by_an_eighth_at_the_most_and_fills_with_black() -> None:
    ones = np.full((64, 16, 16, 1), 255, np.uint8)
    found = moved(ones, replace(PLAIN, crop="pad"), random())
    rows = (found[..., 0] > 0).any(2).sum(1)
    assert found.shape == ones.shape and rows.min() == 14 and rows.max() == 16


def test_the_same_random_numbers_move_alike() -> None:
    recipe = replace(PLAIN, flip=True, crop="pad")
    assert np.array_equal(moved(PIXELS, recipe, random(1)), moved(PIXELS, recipe, random(1)))
    assert not np.array_equal(moved(PIXELS, recipe, random(1)), moved(PIXELS, recipe, random(2)))


def test_normalised_images_have_three_channels_last_in_memory() -> None:
    mean, std = torch.full((3, 1, 1), 0.5), torch.full((3, 1, 1), 0.25)
    for pixels in (PIXELS, PIXELS[..., :1]):
        found = normalised(pixels, mean, std)
        assert found.shape == (16, 3, 16, 16) and found.is_contiguous(memory_format=torch.channels_last)
        assert found[3, 0, 2, 5] == pytest.approx((pixels[3, 2, 5, 0] / 255 - 0.5) / 0.25, abs=1e-6)


def test_a_rectangle_is_erased_in_that_share_of_the_images() -> None:
    ones = torch.ones(200, 3, 16, 16)
    erase(ones, 0.5, random())
    shares = (ones[:, 0] == 0).float().mean((1, 2))
    touched = shares[shares > 0]
    assert 60 < len(touched) < 140 and float(touched.min()) > 0.01 and float(touched.max()) < 0.4
    assert torch.equal(ones[:, 0], ones[:, 2])


def test_mixup_blends_two_images() -> None:
    some = torch.randn(8, 3, 4, 4)
    same, others, share = mixed(some, PLAIN, random())
    assert share == 1 and torch.equal(same, some) and others.tolist() == list(range(8))
    blended, others, share = mixed(some, replace(PLAIN, mixup=0.5), random())
    assert 0 < share < 1 and sorted(others.tolist()) == list(range(8))
    assert torch.allclose(blended, share * some + (1 - share) * some[others])


@pytest.mark.parametrize("name", ["cifar", "imagenet"])
def test_a_policy_is_25_pairs_of_known_operations(name: str) -> None:
    pairs = policy(name)
    assert len(pairs) == 25
    for operation, probability, strength in (step for pair in pairs for step in pair):
        assert operation in _OPERATIONS and 0 <= probability <= 1 and 0 <= strength <= 9


@pytest.mark.parametrize("channels", [1, 3])
def test_auto_augment_changes_most_images_by_the_random_numbers(channels: int) -> None:
    pixels = PIXELS[..., :channels]
    found = [auto_augmented(pixels, "cifar", random(seed)) for seed in (1, 1, 2)]
    assert found[0].shape == pixels.shape and found[0].dtype == np.uint8
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])


@pytest.mark.parametrize("operation", _OPERATIONS)
def test_every_operation_gives_an_image_of_the_same_size(operation: str) -> None:
    from PIL import Image

    image = Image.fromarray(PIXELS[0])
    for strength in (0.0, 0.5, 1.0):
        found = _OPERATIONS[operation](image, strength, -1)
        assert found.size == image.size and found.mode == "RGB"
