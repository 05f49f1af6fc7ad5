"""Agreement of predictions with measurements, on figures worked out by hand."""

from dataclasses import replace

import pytest
from zenbench.bench.comparing.agreement import agree
from zenbench.bench.latency_files.latency_rows import LatencyRow
from zenbench.errors import UserError


def row(name: str, ms: float | None, **more: object) -> LatencyRow:
    return LatencyRow(name, f"digest-{name}", "host", "onnxruntime/fp32/b1/t1/free", latency_ms=ms, **more)  # type: ignore[arg-type]


MEASURED = [row("a", 10.0), row("b", 20.0), row("c", 40.0), row("d", 80.0)]
PREDICTED = [
    row("a", 10.4, std_ms=0.5),
    row("b", 18.4, std_ms=0.5),
    row("c", 48.0, std_ms=5),
    row("d", 80.0, std_ms=1),
]


def test_figures() -> None:
    agreement = agree(MEASURED, PREDICTED)
    assert agreement.count == 4
    assert agreement.mape == pytest.approx((0.04 + 0.08 + 0.2 + 0.0) / 4)
    assert agreement.bias == pytest.approx((0.04 - 0.08 + 0.2) / 4)
    assert (agreement.within_5, agreement.within_10) == (0.5, 0.75)
    assert agreement.spearman == agreement.kendall == pytest.approx(1.0)
    assert (agreement.within_1_std, agreement.within_2_std) == (0.5, 0.75)
    assert [pair.network for pair in agreement.pairs] == ["c", "b", "a", "d"]
    assert agreement.noise_ceiling is None


def test_noise_ceiling_and_drift() -> None:
    measured = [
        row("a", 10.0, half_a_ms=10.5, half_b_ms=10.0, reference_ms=1.1),
        row("b", 20.0, half_a_ms=19.8, half_b_ms=20.0, reference_ms=1.1),
    ]
    predicted = [row("a", 10.0, reference_ms=1.0), row("b", 20.0, reference_ms=1.0)]
    agreement = agree(measured, predicted)
    assert agreement.noise_ceiling == pytest.approx((0.05 + 0.01) / 2)
    assert agreement.reference_drift == pytest.approx(1.1)
    assert agreement.mape_without_drift == pytest.approx(0.1), (
        "exact predictions of a machine 10 % slower now"
    )
    assert agreement.spearman is None, "two points have no rank correlation worth showing"


def test_rows_of_one_side_and_failures_are_counted() -> None:
    measured = [*MEASURED, row("e", None, error="refused"), row("f", 1.0)]
    predicted = [*PREDICTED, row("e", 5.0), row("g", 1.0), row("h", 1.0)]
    agreement = agree(measured, predicted)
    assert (agreement.failed, agreement.only_measured, agreement.only_predicted) == (1, 1, 2)
    assert agreement.count == 4


def test_refusals() -> None:
    with pytest.raises(UserError, match="twice"):
        agree([*MEASURED, MEASURED[0]], PREDICTED)
    with pytest.raises(UserError, match="no network in common"):
        agree(MEASURED, [row("z", 1.0)])
    other = [replace(one, setting="onnxruntime/fp32/b1/t2/free") for one in PREDICTED]
    with pytest.raises(UserError, match=r"t1/free, predicted for host .*t2/free"):
        agree(MEASURED, other)
    with pytest.raises(UserError, match="mix settings"):
        agree(
            [*MEASURED, *(replace(one, setting=other[0].setting) for one in MEASURED)],
            [*PREDICTED, *other],
        )
    with pytest.raises(UserError, match="failed, the first with: refused"):
        agree([row("a", None, error="refused")], PREDICTED)


@pytest.mark.parametrize("ms", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_latencies_are_refused_with_their_row(ms: float) -> None:
    with pytest.raises(UserError, match=r"measured latency of a .*more than zero"):
        agree([row("a", ms)], PREDICTED)
    with pytest.raises(UserError, match=r"predicted latency of a .*more than zero"):
        agree(MEASURED, [row("a", ms)])


def test_why_nothing_joins_is_said_truly() -> None:
    unnamed = replace(row("a", 1.0), device="", setting="")
    with pytest.raises(
        UserError, match="measured is for a setting that it does not name, predicted for host"
    ):
        agree([unnamed], [row("a", 1.0)])
    twice = [replace(row("a", 1.0), network=text, digest="d") for text in ("one", "other")]
    with pytest.raises(UserError, match="other names for the networks that they share"):
        agree(twice, [replace(twice[0], network="third")])
