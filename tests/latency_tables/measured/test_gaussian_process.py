"""The process behind the fill-in, on units whose departures are drawn from it."""

import numpy as np
import pytest
from zenbench.latency_tables.measured import gaussian_process
from zenbench.latency_tables.measured.gaussian_process import (
    Covariance,
    Points,
    Process,
    Units,
    inducing_points,
)
from zenbench.latency_tables.measured.gaussian_process_fit import likeliest
from zenbench.latency_tables.op_features import KINDS, OpFeatures, Vector

KERNEL = Covariance(5.0)
AMPLITUDES = tuple({"dense": 0.6, "pointwise": 0.1}.get(kind, 0.3) for kind in KINDS)
DENSE, POINTWISE = KINDS.index("dense"), KINDS.index("pointwise")
NOISE = 0.03


def some_units(count: int, seed: int = 0) -> Units:
    """Of one dense and one pointwise operation each, of all shapes, as long as each other on average."""
    rng = np.random.default_rng(seed)
    ops = [
        tuple(
            OpFeatures(kind, (float(rng.uniform(0.5, 1.5)),), tuple(rng.uniform(0, 8, 3).tolist()))
            for kind in (DENSE, POINTWISE)
        )
        for _ in range(count)
    ]
    return Units.of(ops, [1.0], AMPLITUDES)


def drawn(units: Units, seed: int = 1) -> Vector:
    """Departures of the units from one draw of the process."""
    rng = np.random.default_rng(seed)
    points, place = np.unique(units.points, axis=0, return_inverse=True)
    covariance = KERNEL(Points(points).squared_distances(points)) + 1e-9 * np.eye(len(points))
    values = np.linalg.cholesky(covariance) @ rng.standard_normal(len(points))
    departures: Vector = units.summed(units.weight * values[place.ravel()])
    return departures + NOISE * rng.standard_normal(len(departures))


def predicted(found: Process, inducing: Points, units: Units) -> Vector:
    mean: Vector = KERNEL(inducing.squared_distances(units.points)) @ found.mean
    return units.summed(units.weight * mean)


def test_kernel_falls_with_distance_and_is_one_at_none() -> None:
    distances = np.array([0.0, 1.0, 2.0, 50.0])
    covariance = KERNEL(distances**2)
    assert covariance[0] == 1 and (np.diff(covariance) < 0).all() and covariance[-1] < 1e-5
    assert [KERNEL.at(distance) for distance in distances] == pytest.approx(covariance)


def test_kinds_tell_nothing_of_one_another() -> None:
    points = some_units(20).points
    dense, pointwise = points[::2], points[1::2]
    assert KERNEL(Points(dense).squared_distances(pointwise)).max() < 1e-9
    assert KERNEL(Points(dense).squared_distances(dense[:1])).max() > 0.3


def test_amplitudes_and_noise_are_found() -> None:
    units = some_units(300)
    found = likeliest(units, drawn(units))
    assert found.amplitudes[DENSE] > 2 * found.amplitudes[POINTWISE]
    assert found.noise == pytest.approx(NOISE, rel=0.5)


def test_a_prediction_is_as_good_as_its_noise_says() -> None:
    seen, unseen = some_units(400), some_units(100, seed=2)
    inducing = inducing_points(KERNEL, seen)
    both = Units(
        np.concatenate([seen.kinds, unseen.kinds]),
        np.concatenate([seen.points, unseen.points]),
        np.concatenate([seen.base, unseen.base]),
        np.concatenate([seen.unit_of, 400 + unseen.unit_of]),
        seen.amplitudes,
    )
    departures = drawn(both)
    found = Process(KERNEL, NOISE, inducing, seen, departures[:400])
    errors = predicted(found, inducing, unseen) - departures[400:]
    assert np.std(errors) < 0.5 * np.std(departures[400:])
    assert NOISE / 2 < found.noise < 4 * NOISE


def test_a_few_wrong_rows_change_little() -> None:
    units = some_units(300)
    departures = drawn(units)
    inducing = inducing_points(KERNEL, units)
    spoiled = departures.copy()
    spoiled[::30] += 1.0
    right, wrong = (Process(KERNEL, NOISE, inducing, units, each) for each in (departures, spoiled))
    moved = np.abs(predicted(wrong, inducing, units) - predicted(right, inducing, units))
    others = np.arange(300) % 30 != 0
    assert np.median(moved[others]) < 0.02


def test_inducing_points_go_where_they_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaussian_process, "MOST_INDUCING", 60)
    units = some_units(200)
    kinds = inducing_points(KERNEL, units).points[:, 0]
    assert len(kinds) == 60
    dense = int((kinds == gaussian_process.KIND_GAP * DENSE).sum())
    assert 30 < dense < 60, "the kind that varies more has more of them"
