"""How a measured network holds its limits, and which one wins."""

from collections.abc import Sequence
from typing import Any

import pytest
from zenbench.bench.refining.standing import ACCEPTED, Finalist, Standing, nearest, winner
from zenbench.bench.refining.verdict import LimitVerdict
from zenbench.bench.searching.winner import TIE
from zenbench.zen.cost import cost
from zenbench.zen.latency import Estimate
from zenbench.zen.network import parse_text
from zenbench.zen.search.evaluator import Candidate

UNSURE = "too close or too few loads to tell, give more --measure-time"


def finalist(score: float, loads_ms: Sequence[float], error: str | None = None) -> Finalist:
    network = parse_text(f"SuperConvK3BNRELU(3,{8 * round(score)},2,1)")
    estimate = Estimate(10.0, 1.0, 0.0, 10.0)
    candidate = Candidate(network, score, cost(network), (estimate,))
    standings = {"on a": Standing(11.0, loads_ms)} if loads_ms else {}
    return Finalist(candidate, 1, {"on a": estimate}, standings, error)


def test_a_winner_has_four_loads_and_room_for_the_next_process() -> None:
    few, near, within = finalist(30, [10.0]), finalist(20, [10.8] * 4), finalist(10, [10.4] * 4)
    assert winner([few, near, within]) == within
    assert few.is_promising and not few.is_confirmed and not few.standings["on a"].is_within
    assert near.standings["on a"].is_within and not near.is_confirmed and near.share > ACCEPTED


def test_of_equal_scores_the_faster_wins_and_else_the_better() -> None:
    fast, slow = finalist(100, [8.0] * 4), finalist(100 * (1 + TIE / 2), [10.0] * 4)
    assert winner([fast, slow]) == fast
    assert winner([fast, finalist(104, [10.0] * 4)]) != fast


def test_loads_that_differ_leave_less_of_the_limit() -> None:
    assert Standing(11.0, [10.4, 10.4, 10.4, 10.4]).share < Standing(11.0, [9.9, 10.2, 10.6, 10.9]).share
    assert Standing(11.0, [10.4]).std_ms == pytest.approx(2 * Standing(11.0, [10.4] * 4).std_ms)


def test_a_failed_network_is_never_chosen() -> None:
    failed = finalist(50, [], "no memory")
    assert winner([failed]) is None and nearest([failed]) is None
    assert nearest([failed, finalist(10, [12.0] * 4), finalist(9, [11.5])]) == finalist(9, [11.5])
    # Of those within as far as they were loaded, the best and not the fastest.
    assert nearest([finalist(10, [10.0]), finalist(9, [5.0]), finalist(20, [12.0])]) == finalist(10, [10.0])


@pytest.mark.parametrize(
    "loads_ms, within, said",
    [
        ([10.4] * 4, True, "within budget: measured 10.4 ms of 11 ms (median of 4 loads)"),
        ([12.1] * 4, False, "budget missed by 10.0%: measured 12.1 ms of 11 ms (median of 4 loads)"),
        ([10.4], False, f"{UNSURE}: measured 10.4 ms of 11 ms (one load)"),
        (None, True, "within budget as predicted: 10 ms +- 1 ms of 11 ms; not measured: no phone"),
    ],
)
def test_a_verdict_says_what_was_measured(loads_ms: Any, within: bool, said: str) -> None:
    measured = None if loads_ms is None else Standing(11.0, loads_ms)
    verdict = LimitVerdict("on a", 11.0, Estimate(10.0, 1.0, 0.0, 10.0), measured, "no phone")
    assert (verdict.is_within, str(verdict)) == (within, said)
