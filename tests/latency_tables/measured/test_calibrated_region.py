"""How far a network lies from what a table was calibrated on."""

import pytest
from zenbench.latency_tables.measured.calibrated_region import NEAR, STD_PER_DISTANCE, CalibratedRegion, place

KNOWN = [place(10.0, units, 20.0) for units in (16, 20, 24)]


def test_networks_like_the_calibrating_ones_add_nothing() -> None:
    assert CalibratedRegion(KNOWN).std(place(10.0, 22, 20.0)) == 0.0
    assert CalibratedRegion([]).std(place(10.0, 500, 20.0)) == 0.0


@pytest.mark.parametrize("far", [place(10.0, 700, 20.0), place(900.0, 20, 20.0), place(10.0, 20, 9_000.0)])
def test_what_is_deeper_slower_a_unit_or_heavier_is_less_certain(far: tuple[float, float, float]) -> None:
    near, added = place(10.0, 60, 20.0), CalibratedRegion(KNOWN).std(far)
    assert added > 0.05 and added > CalibratedRegion(KNOWN).std(near)
    distance = min(sum((a - b) ** 2 for a, b in zip(far, one, strict=True)) ** 0.5 for one in KNOWN)
    assert added == pytest.approx(STD_PER_DISTANCE * (distance - NEAR))
