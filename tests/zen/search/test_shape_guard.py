"""The shape guard: default limits as published networks of the same size have them, never impossible ones."""

from dataclasses import replace

import pytest
from toys import MacsModel
from zenbench.errors import TableError, UserError
from zenbench.zen.latency import Part
from zenbench.zen.published import published_networks, shape_slack
from zenbench.zen.search import Budget, LatencyLimit, SearchTask, search
from zenbench.zen.search.shape_guard import LIMITS, ShapeGuard, guarded
from zenbench.zen.space import spaces
from zenbench.zen.workload import Workload

ROWS = {row.name: row for row in published_networks()}


def task(budget: Budget, space: str = "resnet", resolution: int = 224) -> SearchTask:
    return SearchTask(spaces()[space], resolution, 10, budget, evaluations=400, population=32)


def guard(asked: SearchTask) -> ShapeGuard:
    found = guarded(asked)[1]
    assert found is not None
    return found


def test_the_limits_are_those_of_published_networks_of_the_same_macs() -> None:
    found = guard(task(Budget(macs=400_000_000), "mobilenet"))
    rows = [ROWS[name] for name in found.names]
    assert all(200e6 <= row.macs * (224 / row.resolution) ** 2 <= 800e6 for row in rows)
    assert {"mobilenetv2-1.0", "zennet-400m-se"} <= set(found.names) and "resnet-50" not in found.names
    assert found.limits == {
        "layers": int(shape_slack()["layers"] * max(row.layers for row in rows)),
        "min_width": min(row.min_width for row in rows),
        "max_stage_share": 0.43,
        "max_depth_to_width": pytest.approx(1.25 * max(row.max_depth_to_width for row in rows), abs=1e-3),
    }


def test_a_latency_is_that_of_the_search_s_model_at_its_resolution() -> None:
    # The toy takes a millisecond for 9.1 million MACs; at 112 pixels a network has a quarter of its own.
    limit = LatencyLimit(ROWS["resnet-50"].macs / 4 / 1e7 * 1.1, MacsModel())
    found = guard(task(Budget(latencies=(limit,)), resolution=112))
    assert "resnet-50" in found.names and "resnet-18" not in found.names


def test_the_class_of_the_resolution_counts() -> None:
    small = guard(task(Budget(macs=100_000_000), resolution=32))
    assert "resnet-44" in small.names and "regnety-200mf" not in small.names
    assert set(guard(task(Budget(params=10**6), resolution=32)).names) == {
        name for name, row in ROWS.items() if row.resolution == 32
    }
    # No inverted network was published for CIFAR: those for ImageNet stand in.
    assert "mobilenetv2-1.0" in guard(task(Budget(params=10**6), "mobilenet", 32)).names


def test_without_a_network_of_the_size_the_nearest_counts() -> None:
    assert guard(task(Budget(macs=10**12))).names == ["zennet-1.2ms"]


def test_a_network_that_the_model_cannot_predict_is_left_out() -> None:
    class NoGates(MacsModel):
        def block(self, workload: Workload) -> Part:
            if "squeezed" in str(workload):
                raise TableError("not fitted to gates")
            return super().block(workload)

    limit = LatencyLimit(ROWS["regnety-400mf"].macs / 1e7 * 1.1, MacsModel())
    assert "regnety-400mf" in guard(task(Budget(latencies=(limit,)))).names
    ungated = guard(task(Budget(latencies=(replace(limit, model=NoGates()),))))
    assert ungated.names == ["zennet-0.1ms"]


def test_limits_by_hand_win_and_lifted_ones_stay_free() -> None:
    limited, found = guarded(task(Budget(macs=10**9, layers=99)), ["min_width"])
    assert found is not None and set(found.limits) == {"max_stage_share", "max_depth_to_width"}
    assert (limited.budget.layers, limited.budget.min_width) == (99, None)
    assert guarded(task(Budget(macs=10**9)), LIMITS) == (task(Budget(macs=10**9)), None)


def test_a_front_may_hold_what_cheap_networks_have() -> None:
    asked = task(Budget(macs=600_000_000), "mobilenet")
    assert guard(asked).limits["min_width"] == 16
    assert guard(replace(asked, front="macs")).limits["min_width"] == 8


@pytest.mark.parametrize(
    "budget", [Budget(params=20_000), Budget(macs=2_000_000), Budget(layers=6, macs=10**8)]
)
def test_a_budget_that_can_be_met_still_can(budget: Budget) -> None:
    limited, found = guarded(task(budget, resolution=32))
    assert search(limited).best
    assert found is not None and found.loosened == (budget.params is not None or budget.macs == 2_000_000)


def test_an_impossible_budget_is_refused_for_what_it_says() -> None:
    with pytest.raises(UserError, match="nearest budget that can be met: --params"):
        guarded(task(Budget(params=10), resolution=32))
