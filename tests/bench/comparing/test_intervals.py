"""Confidence of figures over networks: intervals that hold the truth about as often as they say."""

import random
from statistics import NormalDist, fmean

import pytest
from zenbench.bench.comparing.intervals import Interval, mean_interval, share_interval, spearman_interval

TRIALS = 200


def share_holding(truth: float, intervals: list[Interval | None]) -> float:
    return fmean(one is not None and one.low <= truth <= one.high for one in intervals)


@pytest.mark.parametrize("count", [10, 40])
def test_means_of_absolute_errors_are_covered(count: int) -> None:
    numbers = random.Random(1)
    found = [mean_interval([abs(numbers.gauss(0, 0.05)) for _ in range(count)]) for _ in range(TRIALS)]
    assert 0.90 <= share_holding(0.05 * (2 / 3.141592653589793) ** 0.5, found) <= 0.99


def test_shares_are_covered() -> None:
    numbers = random.Random(2)
    limit = 2 * NormalDist().cdf(1.5) - 1
    shares: list[Interval | None] = [
        share_interval(fmean(abs(numbers.gauss(0, 1)) <= 1.5 for _ in range(30)), 30) for _ in range(TRIALS)
    ]
    assert 0.90 <= share_holding(limit, shares) <= 1


def test_more_networks_are_surer_and_the_seed_is_fixed() -> None:
    numbers = random.Random(3)
    values = [numbers.gauss(0, 0.05) for _ in range(400)]
    few, many = mean_interval(values[:20]), mean_interval(values)
    assert few and many and many.high - many.low < 0.5 * (few.high - few.low)
    assert mean_interval(values[:20]) == few


def test_all_within_is_not_certain() -> None:
    interval = share_interval(1.0, 20)
    assert interval.high == pytest.approx(1) and 0.8 < interval.low < 0.9
    assert share_interval(0.0, 20).low == pytest.approx(0)
    assert share_interval(1.0, 200).low > interval.low


def test_ranks() -> None:
    numbers = random.Random(4)
    xs = [numbers.uniform(1, 50) for _ in range(30)]
    close = spearman_interval(xs, [x * numbers.gauss(1, 0.02) for x in xs])
    loose = spearman_interval(xs, [x * numbers.gauss(1, 0.5) for x in xs])
    assert close and loose and 0.9 < close.low <= close.high <= 1
    assert loose.high - loose.low > close.high - close.low


def test_too_few_and_equal_values() -> None:
    assert mean_interval([0.1] * 4) is None
    assert mean_interval([0.1] * 5) == Interval(0.1, 0.1)
    assert spearman_interval([1, 2, 3, 4], [1, 2, 3, 4]) is None
    assert spearman_interval([1, 2, 3, 4, 5], [1] * 5) is None
    two_sided = mean_interval([0.1, 0.1, 0.1, 0.1, 0.2])
    assert two_sided is not None and two_sided.low < 0.12 < two_sided.high


@pytest.mark.parametrize(
    "values",
    [
        [0.0100, 0.01001, 0.01002, 0.3, 0.5],
        [0.1, 0.1 + 1e-16, 0.1 - 2e-16, 0.1 + 3e-16, 0.1, 0.1 - 1e-16, 0.2, 0.3],
        [0.001] * 4 + [1.0],
    ],
    ids=["nearly equal", "equal but for rounding", "one far off"],
)
def test_equal_errors_do_not_stretch_an_interval(values: list[float]) -> None:
    interval = mean_interval(values, least=0.0)
    assert interval is not None
    assert 0 <= interval.low <= fmean(values) <= interval.high <= 3 * max(values)


def test_a_mean_below_its_least_is_not_offered() -> None:
    unbounded, bounded = mean_interval([0.001] * 4 + [1.0]), mean_interval([0.001] * 4 + [1.0], least=0.0)
    assert unbounded is not None and bounded is not None
    assert unbounded.low < 0 == bounded.low and unbounded.high == bounded.high


def test_errors_that_differ_by_rounding_only_are_equal() -> None:
    interval = mean_interval([0.1 + number * 1e-17 for number in range(9)])
    assert interval is not None and interval.high - interval.low < 1e-12
