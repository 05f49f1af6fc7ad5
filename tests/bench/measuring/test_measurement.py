"""A measurement's record: what is none is refused."""

import pytest
from zenbench.bench.measuring.measurement import Measurement
from zenbench.bench.measuring.recipe import REFERENCE, Recipe
from zenbench.errors import TableError, UserError
from zenbench.zen.workload import Workload


def test_reference_is_a_workload() -> None:
    assert str(Workload.parse(REFERENCE)) == REFERENCE


def test_a_card_adapts_the_recipe_and_nothing_else() -> None:
    adapted = Recipe().adapted({"min_runs": 10, "window": 24})
    assert (adapted.min_runs, adapted.window, adapted.rounds) == (10, 24, Recipe().rounds)
    with pytest.raises(UserError, match="no laps"):
        Recipe().adapted({"laps": 3})


@pytest.mark.parametrize(
    "entry",
    [
        {"window": 0},
        {"rounds": -1},
        {"rounds": 2.5},
        {"min_runs": True},
        {"max_runs": "20"},
        {"round_ms": 0.0},
        {"round_ms": float("nan")},
        {"rounds": 10**30},
    ],
)
def test_a_card_asks_for_what_can_be_repeated(entry: dict[str, object]) -> None:
    (name,) = entry
    with pytest.raises(UserError, match=f"recipe has {name} = .*; it must be a .*number above 0"):
        Recipe().adapted(entry)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"subject": "x", "time": "t", "before": {}, "after": {}},
        {"subject": "x", "time": "t", "before": {}, "after": {}, "error": "e", "timing": {}},
        {"subject": "x", "time": "t", "before": {"mood": 1}, "after": {}, "error": "e"},
        {
            "subject": "x",
            "time": "t",
            "before": {},
            "after": {},
            "timing": {"warmup_ms": [], "samples": [], "reference_ms": 1},
        },
        {
            "subject": "x",
            "time": "t",
            "before": {},
            "after": {},
            "timing": {"warmup_ms": [], "samples": [[1.0, float("inf")]], "reference_ms": 1},
        },
        *(
            {
                **{"subject": "x", "time": "t", "before": {}, "after": {}},
                "timing": {"warmup_ms": [], "samples": [sample], "reference_ms": 1},
            }
            for sample in ([0.1, 1.5], [0.1, 0], [True, True], [1e308, 1], ["0.1", 1])
        ),
        *(
            {"subject": "x", "time": "t", "before": {}, "after": {name: value}, "error": "e"}
            for name, value in [
                ("temperature_celsius", [40.0]),
                ("temperature_celsius", float("nan")),
                ("load_1min", 10**400),
                ("cores_mhz", {"0": "fast"}),
                ("cores_mhz", [1800]),
                ("governor", 3),
            ]
        ),
    ],
)
def test_records_that_are_no_measurement(data: dict[str, object]) -> None:
    with pytest.raises(TableError):
        Measurement.from_json(data)
