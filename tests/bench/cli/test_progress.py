"""The time left that progress displays say."""

import csv
from itertools import accumulate, groupby
from pathlib import Path

import pytest
from zenbench.bench.cli.shared.progress import Pace
from zenbench.zen.network import parse_text
from zenbench.zen.search.rescoring import passes_work

FORWARD_PASSES = Path(__file__).parents[2] / "data" / "forward_passes.csv"


def test_the_pace_is_that_since_the_first_report() -> None:
    pace = Pace(100)
    assert pace.seconds_left(40, now=1_000.0) is None  # resumed: those 40 cost nothing here
    assert pace.seconds_left(40, now=1_010.0) is None
    assert pace.seconds_left(50, now=1_020.0) == pytest.approx(100.0)
    assert pace.seconds_left(100, now=1_070.0) == pace.seconds_left(101, now=1_080.0) == 0.0


def test_the_time_left_of_forward_passes_is_right_from_the_third_network_on() -> None:
    with FORWARD_PASSES.open(newline="") as file:
        fronts = [list(rows) for _, rows in groupby(csv.DictReader(file), lambda row: row["front"])]
    assert len(fronts) == 3
    for rows in fronts:
        networks = [parse_text(row["network"], int(row["resolution"]), int(row["classes"])) for row in rows]
        done, now = (
            list(accumulate(values))
            for values in (map(passes_work, networks), (float(row["seconds"]) for row in rows))
        )
        pace = Pace(done[-1])
        said = [pace.seconds_left(*report) for report in zip(done, now, strict=True)]
        for seconds_left, moment in list(zip(said, now, strict=True))[2:-1]:
            assert seconds_left == pytest.approx(now[-1] - moment, rel=1 / 3)
