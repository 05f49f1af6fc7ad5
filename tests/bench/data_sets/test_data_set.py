"""Parts of data sets, their statistics, and random areas."""

import numpy as np
import pytest
from PIL import Image
from toy_images import SIZE, images, toy_data
from zenbench.bench.data_sets.array_images import ArrayImages
from zenbench.bench.data_sets.crops import central, random_area
from zenbench.bench.data_sets.data_set import check_size, first_images
from zenbench.bench.data_sets.statistics import ChannelStatistics
from zenbench.errors import UserError


def test_held_out_images_are_no_longer_trained_on() -> None:
    data = toy_data(64, 32)
    parted = data.holding_out(16)
    assert (len(parted.train.labels), len(parted.test.labels)) == (48, 16)
    pixels = [part.pixels(np.arange(len(part.labels)), SIZE) for part in (parted.train, parted.test)]
    both = {image.tobytes() for part in pixels for image in part}
    assert both == {image.tobytes() for image in data.train.pixels(np.arange(64), SIZE)}
    again = data.holding_out(16).test.pixels(np.arange(16), SIZE)
    assert np.array_equal(again, pixels[1])


@pytest.mark.parametrize("count", [0, 64, 100, -1])
def test_all_or_none_cannot_be_held_out(count: int) -> None:
    with pytest.raises(UserError, match="of the 64 training images cannot be held out"):
        toy_data(64).holding_out(count)


def test_the_first_images_are_at_most_all() -> None:
    assert len(first_images(toy_data(8, 32), 5).test.labels) == 5
    assert len(first_images(toy_data(8, 32), 100).test.labels) == 32


def test_images_of_another_size_are_refused() -> None:
    check_size(images(4, 0), SIZE, "toy")
    with pytest.raises(UserError, match="are 16 x 16, but the network takes 8 x 8; give --resolution 16"):
        check_size(images(4, 0), 8, "toy")
    wide = ArrayImages(np.zeros((1, 8, 16, 3), np.uint8), np.zeros(1, np.int64))
    with pytest.raises(UserError, match=r"are 8 x 16, but the network takes 8 x 8$"):
        check_size(wide, 8, "toy")


def test_statistics_are_those_of_the_pixels() -> None:
    some = images(64, 0)
    found = ChannelStatistics.of(some, SIZE)
    values = some.array / 255
    assert found.mean == pytest.approx(values.mean((0, 1, 2)), abs=1e-4)
    assert found.std == pytest.approx(values.std((0, 1, 2)), abs=1e-4)
    normalised = found.normalised(some.array)
    assert normalised.shape == (64, 3, SIZE, SIZE) and normalised.dtype == np.float32
    assert normalised.mean((0, 2, 3)) == pytest.approx([0, 0, 0], abs=1e-3)


def test_grey_images_have_the_same_statistics_in_all_channels() -> None:
    grey = ArrayImages(images(16, 0).array[..., :1], np.zeros(16, np.int64))
    found = ChannelStatistics.of(grey, SIZE)
    assert len(set(found.mean)) == len(set(found.std)) == 1
    assert found.normalised(grey.array).shape == (16, 3, SIZE, SIZE)


def test_images_of_one_colour_have_a_spread_above_0() -> None:
    black = ArrayImages(np.zeros((4, 8, 8, 3), np.uint8), np.zeros(4, np.int64))
    found = ChannelStatistics.of(black, 8)
    assert min(found.std) > 0 and np.isfinite(found.normalised(black.array)).all()


def test_the_central_crop_leaves_the_edges_out() -> None:
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[8:56, 24:72] = 255
    assert central(Image.fromarray(pixels), 8)[2:-2, 2:-2].min() == 255
    assert central(Image.fromarray(pixels), 8).shape == (8, 8, 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_random_areas_of_arrays_follow_from_the_random_numbers(channels: int) -> None:
    some = images(8, 0)
    some = ArrayImages(some.array[..., :channels], some.labels)
    numbers = np.arange(8)
    found = [some.pixels(numbers, 12, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert found[0].shape == (8, 12, 12, channels)
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])


def test_a_strip_too_narrow_for_any_area_is_cropped_in_the_middle() -> None:
    strip = Image.fromarray(np.zeros((1, 400, 3), np.uint8))
    assert random_area(strip, 8, np.random.default_rng(0)).shape == (8, 8, 3)
