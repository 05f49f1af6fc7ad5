"""Run against run, on rounds drawn with a known noise and a known slow-down."""

import math
import random
from dataclasses import replace
from statistics import fmean, median, stdev

import pytest
from zenbench.bench.comparing.runs import RunComparison, compare_runs
from zenbench.bench.latency_files.latency_rows import LatencyRow
from zenbench.errors import UserError

ROUNDS = 10
TRIALS = 150


def run(numbers: random.Random, truths: list[float], noise: float, factor: float = 1.0) -> list[LatencyRow]:
    """What a measurement of networks with these true latencies gives, at a machine that is steady."""
    rows = []
    for index, truth in enumerate(truths):
        rounds = [truth * factor * (1 + numbers.gauss(0, noise)) for _ in range(ROUNDS)]
        ms = median(rounds)
        std_ms = 1.253 * stdev(rounds) / math.sqrt(ROUNDS)
        row = LatencyRow(f"n{index}", f"d{index}", "host", "s", latency_ms=ms, std_ms=std_ms, rounds=ROUNDS)
        rows.append(row)
    return rows


def comparisons(count: int, noise: float, factor: float) -> list[RunComparison]:
    numbers = random.Random(f"{count} {noise} {factor}")
    found = []
    for _ in range(TRIALS):
        truths = [numbers.uniform(1, 50) for _ in range(count)]
        found.append(compare_runs(run(numbers, truths, noise), run(numbers, truths, noise, factor)))
    return found


@pytest.mark.parametrize("count", [3, 6, 20])
@pytest.mark.parametrize("noise", [0.02, 0.08])
def test_equal_runs_are_rarely_called_different(count: int, noise: float) -> None:
    found = comparisons(count, noise, 1.0)
    # 5 % are stated; three standard deviations of 150 trials are 5.3 % more.
    assert fmean(one.significant for one in found) <= 0.103
    assert fmean(one.slower + one.faster > 0 for one in found) <= 0.103, "all networks watched at once"


@pytest.mark.parametrize(("count", "noise"), [(3, 0.02), (6, 0.02), (20, 0.05)])
def test_a_slow_down_of_five_per_cent_is_found(count: int, noise: float) -> None:
    found = comparisons(count, noise, 1.05)
    assert fmean(one.significant and one.change > 0 for one in found) > 0.95
    assert fmean(one.change for one in found) == pytest.approx(0.05, abs=0.005)
    assert all(one.verdict.startswith("Slower: +") for one in found if one.significant)
    if count >= 5:
        held = [one.interval is not None and one.interval.low <= 0.05 <= one.interval.high for one in found]
        assert fmean(held) > 0.9


def test_the_change_is_on_the_side_that_the_test_finds() -> None:
    rows = [LatencyRow(f"n{i}", f"d{i}", "host", "s", latency_ms=1.0 + i) for i in range(100)]

    def times(factors: list[float]) -> RunComparison:
        after = [
            replace(row, latency_ms=(row.latency_ms or 0) * factor)
            for row, factor in zip(rows, factors, strict=False)
        ]
        return compare_runs(rows[: len(after)], after)

    half = times([0.99] * 51 + [1.5] * 49)
    assert half.significant and half.verdict.startswith("Slower: +"), "the median network is 1 % faster"
    some = times([1.0] * 11 + [1.3] * 9)
    assert some.significant and some.verdict.startswith("Slower: +"), "the median network did not change"
    three = [replace(row, std_ms=0.001, rounds=50) for row in rows[:3]]
    later = [
        replace(row, latency_ms=(row.latency_ms or 0) * f)
        for row, f in zip(three, (0.99, 0.99, 1.5), strict=True)
    ]
    assert compare_runs(three, later).verdict.startswith("Slower: +")


@pytest.mark.parametrize("std_ms", [1e-300, 1e-170, 1e11])
def test_deviations_of_any_size_are_reckoned_with(std_ms: float) -> None:
    rows = [
        LatencyRow(f"n{i}", f"d{i}", "host", "s", latency_ms=1.0 + i, std_ms=std_ms, rounds=5)
        for i in range(3)
    ]
    found = compare_runs(rows, [replace(row, latency_ms=2 * (row.latency_ms or 0)) for row in rows])
    assert found.significant == (std_ms < 1) and found.change == pytest.approx(1)


def test_a_single_network_that_changed_stands_out() -> None:
    numbers = random.Random(5)
    truths = [numbers.uniform(1, 50) for _ in range(12)]
    before, after = run(numbers, truths, 0.01), run(numbers, truths, 0.01)
    after[7] = replace(after[7], latency_ms=1.3 * truths[7])
    found = compare_runs(before, after)
    assert not found.significant and (found.slower, found.faster) == (1, 0)
    assert found.changes[0].network == "n7" and found.changes[0].beyond_noise
    assert found.verdict.startswith("No difference beyond chance")


def test_faster_versions_and_reference() -> None:
    numbers = random.Random(6)
    truths = [numbers.uniform(1, 50) for _ in range(10)]

    def named(rows: list[LatencyRow], version: str, reference_ms: float) -> list[LatencyRow]:
        versions = f"onnxruntime {version}, python 3.11"
        return [replace(row, versions=versions, reference_ms=reference_ms) for row in rows]

    before = named(run(numbers, truths, 0.01), "1.31", 2.0)
    after = named(run(numbers, truths, 0.01, 0.9), "1.32", 2.0)
    found = compare_runs(before, after)
    assert found.verdict.startswith("Faster: -") and "did not change as much" in found.verdict
    assert found.verdict.endswith("; onnxruntime 1.31 then, onnxruntime 1.32 now.")
    everything = compare_runs(before, [replace(row, reference_ms=1.8) for row in after])
    assert everything.reference_change == pytest.approx(-0.1)
    assert "the device as a whole changed" in everything.verdict


def test_what_is_missing_and_what_is_not_quiet_is_counted() -> None:
    rows = [LatencyRow(f"n{i}", f"d{i}", "host", "s", latency_ms=1.0 + i, verdict="quiet") for i in range(7)]
    failed = replace(rows[0], latency_ms=None, error="refused")
    noisy = replace(rows[1], verdict="noisy")
    found = compare_runs(rows, [failed, noisy, *rows[2:6], LatencyRow("x", "dx", "host", "s", latency_ms=1)])
    counts = (found.count, found.failed, found.only_before, found.only_after, found.not_quiet)
    assert counts == (5, 1, 1, 1, 1)
    assert found.p_value is None and found.verdict.startswith("Too little to tell: +0.0% over 5 networks")
    assert compare_runs(rows, rows).p_value == 1, "equal to the last digit"


def test_refusals() -> None:
    row = LatencyRow("n", "d", "host", "onnxruntime/fp32/b1/t1/free", latency_ms=1.0)
    with pytest.raises(UserError, match=r"before is for host .*t1/free, after for host .*t2/free"):
        compare_runs([row], [replace(row, setting="onnxruntime/fp32/b1/t2/free")])
    with pytest.raises(UserError, match=r"before is for host .*, after for pixel2 "):
        compare_runs([row], [replace(row, device="pixel2")])
    with pytest.raises(UserError, match="no network was measured both times; the first failed with: refused"):
        compare_runs([row], [replace(row, latency_ms=None, error="refused")])
    with pytest.raises(UserError, match="twice"):
        compare_runs([row, row], [row])
    with pytest.raises(UserError, match="the after latencies are 1e\\+03 times the before ones"):
        compare_runs([row], [replace(row, latency_ms=1000.0)])
