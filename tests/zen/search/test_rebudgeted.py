"""Searches that go on under another budget, and what they keep beside the best."""

from dataclasses import replace

import pytest
from zenbench.errors import UserError
from zenbench.zen.search import Budget, SearchTask, rebudgeted, search
from zenbench.zen.search.bands import BestOfBands, band
from zenbench.zen.search.evaluator import Evaluator
from zenbench.zen.search.run import SearchResult
from zenbench.zen.space import open_space

TASK = SearchTask(open_space("resnet"), 32, 10, Budget(layers=12, macs=40_000_000), evaluations=1_600)


@pytest.fixture(scope="module")
def found() -> SearchResult:
    return search(TASK)


def evaluator(task: SearchTask) -> Evaluator:
    return Evaluator(task.resolution, task.classes, task.budget, task.reading)


def test_what_is_kept_differs_in_depth_or_width(found: SearchResult) -> None:
    cache = evaluator(TASK)
    bands = [band(cache.genome(candidate.network.blocks)) for candidate in found.best]  # type: ignore[arg-type]
    assert len(set(bands)) == len(bands) > 5
    assert [one.score for one in found.best] == sorted((one.score for one in found.best), reverse=True)
    assert found.best[0].score == found.history[-1][1]


def test_a_band_keeps_the_best_and_of_equal_ones_the_elder() -> None:
    cache = evaluator(TASK)
    genome = cache.genome(TASK.space.start(32))
    kept = BestOfBands([(1.0, 5, genome), (2.0, 9, genome), (2.0, 7, genome), (1.5, 1, genome)])
    assert [(score, born) for score, born, _ in kept.members()] == [(2.0, 7)]


def test_members_that_exceed_the_new_budget_leave_and_the_history_falls(found: SearchResult) -> None:
    tighter = replace(TASK, budget=Budget(layers=12, macs=20_000_000), evaluations=2_400)
    state = rebudgeted(tighter, found.state)
    cache = evaluator(tighter)
    for island in state.islands:
        assert island.members
        assert all(cache.broken_by(cache.genome(blocks)) is None for _, _, blocks in island.members)
    assert state.history[-1][1] < found.history[-1][1] and state.evaluated == found.evaluated
    assert search(tighter, state=state).evaluated == 2_400


def test_an_island_without_members_takes_those_of_the_others(found: SearchResult) -> None:
    cache = evaluator(TASK)
    cheapest = min(
        (member for island in found.state.islands for member in (*island.members, *island.varied)),
        key=lambda member: cache.cost(cache.genome(member[2])).macs,
    )
    limit = cache.cost(cache.genome(cheapest[2])).macs
    state = rebudgeted(replace(TASK, budget=Budget(macs=limit)), found.state)
    assert all(cheapest[2] in {blocks for _, _, blocks in island.members} for island in state.islands)


def test_no_network_within_the_new_budget_is_refused(found: SearchResult) -> None:
    with pytest.raises(UserError, match="impossible budget"):
        rebudgeted(replace(TASK, budget=Budget(macs=10)), found.state)
