"""Calibration by networks left out: when it is taken, how deviations are stretched, what is said of it."""

import numpy as np
import pytest
from zenbench.latency_tables.measured.network_calibration import Calibration, calibrate
from zenbench.latency_tables.op_features import Vector

PLAIN = (1.0, 1.0, 0.0, 0.0, 0.0, 0.0)


def some_terms(count: int, seed: int = 0) -> Vector:
    """Milliseconds, their excess, units, MB between units, MB of weights; of blocks that were timed alone."""
    rng = np.random.default_rng(seed)
    columns = [rng.uniform(8, 50, count), np.zeros(count), rng.integers(10, 60, count)]
    return np.column_stack([*columns, rng.uniform(1, 20, count), rng.uniform(1, 40, count)])


def learned(terms: Vector, truths: Vector, block_std: float = 0.0) -> Calibration:
    """`block_std`: relative, of each of 25 equal blocks."""
    std_sums = block_std * terms[:, 0]
    return calibrate(terms.tolist(), (std_sums**2 / 25).tolist(), std_sums.tolist(), truths.tolist())


def stated(found: Calibration, terms: Vector, block_std: float = 0.0) -> tuple[Vector, Vector]:
    pairs = [found.apply(row, (block_std * row[0]) ** 2 / 25, block_std * row[0]) for row in terms.tolist()]
    ms, std_ms = np.array(pairs).T
    return ms, std_ms


def test_a_sum_that_is_nearer_is_taken() -> None:
    terms = some_terms(12)
    found = learned(terms, terms[:, 0] * np.where(np.arange(12) % 2, 1.02, 0.98))
    assert found.is_plain and found.coefficients == PLAIN
    assert found.left_out is not None and found.left_out.mape == found.left_out.mape_of_sum
    assert found.apply((10.0, 0.0, 20.0, 3.0, 4.0), 0.0, 0.0)[0] == 10.0


def test_noise_is_hardly_calibrated() -> None:
    rng = np.random.default_rng(1)
    terms, others = some_terms(30), some_terms(50, seed=9)
    ms, _ = stated(learned(terms, terms[:, 0] * rng.normal(1, 0.1, 30)), others)
    assert np.abs(ms / others[:, 0] - 1).mean() < 0.05


def test_two_slow_networks_teach_no_slope_past_a_cache() -> None:
    terms = some_terms(30)
    terms[:2, 4] = 60.0
    truths = terms[:, 0] * np.where(np.arange(30) < 2, 1.2, 1.0)
    (ms, _), most = stated(learned(terms, truths), np.array([[40.0, 0, 30, 10, 160]])), 40.0 * 1.2
    assert ms[0] < most


def test_the_error_to_expect_is_that_of_unseen_networks() -> None:
    rng = np.random.default_rng(2)
    terms = some_terms(260)
    truths = (terms @ np.array([1.1, 1.0, 0.02, -0.1, 0.01])) * rng.normal(1, 0.04, 260)
    found = learned(terms[:40], truths[:40])
    ms, std_ms = stated(found, terms[40:])
    errors = np.abs(ms / truths[40:] - 1)
    assert found.left_out is not None and not found.is_plain and found.left_out.networks == 40
    assert found.left_out.low < errors.mean() < found.left_out.high
    assert found.left_out.mape < 0.5 * found.left_out.mape_of_sum
    sizes = np.abs(ms - truths[40:]) / std_ms
    assert 0.55 < np.mean(sizes < 1) < 0.85 and np.mean(sizes < 2) > 0.85


@pytest.mark.parametrize("shared", [False, True])
def test_deviations_hold_what_blocks_have_in_common(shared: bool) -> None:
    """Of networks whose blocks are known to 2 to 30 %, 25 blocks err alike or each in its own way."""
    rng = np.random.default_rng(3)
    terms = some_terms(400)
    block_std = rng.uniform(0.02, 0.3, 400)
    error = block_std * rng.normal(0, 1, 400) / (1 if shared else 5)
    truths = terms[:, 0] * (1 + error)
    std_sums = block_std * terms[:, 0]
    variances = std_sums**2 / 25
    found = calibrate(
        terms[:100].tolist(), variances[:100].tolist(), std_sums[:100].tolist(), truths[:100].tolist()
    )
    assert found.shared >= 0.5 if shared else found.shared <= 0.25
    pairs = zip(terms[100:].tolist(), variances[100:], std_sums[100:], strict=True)
    ms, std_ms = np.array([found.apply(*one) for one in pairs]).T
    sizes = np.abs(ms - truths[100:]) / std_ms
    assert 0.58 < np.mean(sizes < 1) < 0.8 and np.mean(sizes < 2) > 0.9


def test_one_disturbed_network_does_not_widen_all_deviations() -> None:
    rng = np.random.default_rng(4)
    terms = some_terms(40)
    truths = terms[:, 0] * rng.normal(1, 0.02, 40)
    quiet = stated(learned(terms, truths), terms)[1]
    truths[7] *= 1.6
    disturbed = stated(learned(terms, truths), terms)[1]
    assert np.median(disturbed / quiet) < 1.6


@pytest.mark.parametrize("count", [1, 2, 4, 5])
def test_a_few_networks_give_a_cautious_calibration(count: int) -> None:
    terms, others = some_terms(count), some_terms(20, seed=9)
    found = learned(terms, 1.05 * terms[:, 0])
    ms, std_ms = stated(found, others)
    assert found.left_out is not None and found.left_out.networks == count
    assert (np.abs(ms - 1.05 * others[:, 0]) < 4 * std_ms).all() and (std_ms > 0.005 * ms).all()
