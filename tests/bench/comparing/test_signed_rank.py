"""Signed ranks: middle, interval and test, against every mean of two and against one another."""

import random
from itertools import combinations_with_replacement, product
from statistics import fmean, median

import pytest
from zenbench.bench.comparing.signed_rank import LEAST, chance_of_side, middle, middle_interval


def drawn(count: int, truth: float = 0.0, seed: int = 1) -> list[float]:
    numbers = random.Random(f"{seed} {count}")
    return [truth + numbers.gauss(0, 0.1) for _ in range(count)]


@pytest.mark.parametrize("count", [6, 7, 20, 60])
def test_the_middle_is_the_median_of_the_means_of_any_two(count: int) -> None:
    values = drawn(count)
    means = sorted(fmean(two) for two in combinations_with_replacement(values, 2))
    assert middle(values) == pytest.approx(median(means), abs=1e-12)
    found = middle_interval(values)
    low, high = (min(means, key=lambda mean: abs(mean - end)) for end in (found.low, found.high))
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12), "both ends are means of two"
    assert means.index(low) == len(means) - 1 - means.index(high)


@pytest.mark.parametrize("count", [6, 9, 13])
def test_the_interval_leaves_out_what_the_test_rejects(count: int) -> None:
    for seed, truth in product(range(40), (0.0, 0.08)):
        values = drawn(count, truth, seed)
        found = middle_interval(values)
        assert (chance_of_side(values) < 0.05) == (not found.low <= 0 <= found.high)


@pytest.mark.parametrize("count", [8, 60])
def test_the_interval_holds_the_truth(count: int) -> None:
    held = [
        found.low <= 0.03 <= found.high
        for found in (middle_interval(drawn(count, 0.03, s)) for s in range(200))
    ]
    assert 0.9 <= fmean(held) <= 0.99


def test_the_middle_is_on_the_side_that_the_test_finds() -> None:
    values = [-0.01] * 51 + [0.4] * 49
    assert chance_of_side(values) < 0.001 and middle(values) > 0.1, "the median is -0.01"
    assert middle([0.0] * 11 + [0.3] * 9) > 0, "the median is 0"


def test_equal_and_many_values() -> None:
    assert middle([0.0] * LEAST) == 0 and chance_of_side([0.0] * LEAST) == 1
    equal = middle_interval([0.2] * LEAST)
    assert (equal.low, equal.high) == pytest.approx((0.2, 0.2))
    many = middle_interval(drawn(5000, 0.05))
    assert 0.04 < many.low < 0.05 < many.high < 0.06
