"""A measurement's record: what is none is refused."""

import pytest
from zenbench.bench.timing import REFERENCE, Measurement, Recipe
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
    ],
)
def test_records_that_are_no_measurement(data: dict[str, object]) -> None:
    with pytest.raises(TableError):
        Measurement.from_json(data)
