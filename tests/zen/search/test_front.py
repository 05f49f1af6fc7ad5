"""The front: nothing dominated, everything within every budget, resumable, better than chance."""

import json
import random
from bisect import bisect_left
from itertools import pairwise
from statistics import median

import pytest
from toys import MacsModel
from zenbench.errors import UserError
from zenbench.zen.cost import cost
from zenbench.zen.network import Network
from zenbench.zen.proxies.closed_form import zen_closed
from zenbench.zen.search.budget import Budget, LatencyLimit
from zenbench.zen.search.crossover import crossed
from zenbench.zen.search.evaluator import Evaluator
from zenbench.zen.search.front import AXES, ELITES, SPAN, Axis, Ladder, axis_value, cost_along, levels
from zenbench.zen.search.mutation import StepMutation
from zenbench.zen.search.run import SearchResult, SearchState, search
from zenbench.zen.search.start import fitting_start
from zenbench.zen.search.task import SearchTask
from zenbench.zen.space import spaces

SPACE = spaces()["resnet"]
BUDGETS = {
    "latency": Budget(layers=12, params=10**6, latencies=(LatencyLimit(8.0, MacsModel(), confidence=0.9),)),
    "macs": Budget(macs=10**8, layers=12),
    "params": Budget(params=10**6, layers=12, max_stage_share=0.6),
}


def task_of(axis: Axis, **options: object) -> SearchTask:
    settings: dict[str, object] = {"evaluations": 1200, "population": 64, "islands": 2, **options}
    return SearchTask(SPACE, 32, 100, BUDGETS[axis], front=axis, **settings)  # type: ignore[arg-type]


def along(result: SearchResult, task: SearchTask) -> list[float]:
    assert task.front is not None
    return [cost_along(task.front, task.budget, candidate) for candidate in result.best]


@pytest.mark.parametrize("axis", AXES)
def test_no_point_is_dominated_and_each_fits_every_budget(axis: Axis) -> None:
    task = task_of(axis)
    result = search(task)
    assert result.evaluated == 1200
    costs, scores = along(result, task), [candidate.score for candidate in result.best]
    assert len(costs) > 20
    assert all(dearer > cheaper for dearer, cheaper in pairwise(costs))
    assert all(better > worse for better, worse in pairwise(scores))
    evaluator = Evaluator(32, 100, task.budget, task.reading)
    for candidate, value in zip(result.best, costs, strict=True):
        genome = evaluator.genome(candidate.network.blocks)  # type: ignore[arg-type]
        assert evaluator.broken_by(genome) is None
        assert axis_value(axis, evaluator)(genome) == value
        assert candidate.cost == cost(candidate.network)
        assert candidate.score == pytest.approx(zen_closed(candidate.network), abs=1e-8)


@pytest.mark.parametrize("axis", AXES)
def test_an_interrupted_front_goes_on_to_the_same_result(axis: Axis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zenbench.zen.search.run.EPOCH", 200)
    task = task_of(axis)
    states: list[SearchState] = []
    whole = search(task, progress=states.append)
    assert len(states) == 6
    saved = SearchState.from_json(json.loads(json.dumps(states[2].to_json())))
    resumed = search(task, state=saved)
    assert (resumed.best, resumed.history, resumed.rejected) == (whole.best, whole.history, whole.rejected)


def test_same_seed_same_front_and_pieces_are_forgotten_without_a_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = search(task_of("macs"))
    monkeypatch.setattr("zenbench.zen.search.block_cache.MOST_BLOCKS", 100)
    assert search(task_of("macs")).best == whole.best
    assert search(task_of("macs", seed=1)).best != whole.best


def test_a_front_beats_as_many_random_networks_at_every_budget() -> None:
    task = task_of("params", evaluations=3000)
    found = search(task)
    evaluator, rng, mutate = (
        Evaluator(32, 100, task.budget, task.reading),
        random.Random(0),
        StepMutation(SPACE),
    )
    genome, value = fitting_start(task, evaluator), axis_value("params", evaluator)
    walked: list[tuple[float, float]] = []
    while len(walked) < 3000:  # a random walk through everything that fits
        child = mutate(genome, evaluator.cache, rng)
        if evaluator.broken_by(child) is None:
            genome = child
            walked.append((value(genome), evaluator.score(genome)))
    for share in (1, 2, 4, 8):
        budget = 10**6 / share
        front = max(c.score for c, cost in zip(found.best, along(found, task), strict=True) if cost <= budget)
        assert front > max((score for cost, score in walked if cost <= budget), default=0.0)


def test_a_front_is_as_good_as_a_search_at_its_limit() -> None:
    shares = []
    for seed in range(3):
        task = task_of("macs", evaluations=6000, seed=seed, population=128, islands=1)
        plain = SearchTask(SPACE, 32, 100, BUDGETS["macs"], 1200, 64, seed=seed, islands=1)
        shares.append(search(task).best[0].score / search(plain).best[0].score)
    assert median(shares) > 0.995


def test_levels_end_at_the_limit_and_span_a_sixteenth_or_down_to_the_smallest_network() -> None:
    evaluator = Evaluator(32, 100, Budget(params=10**6), "paper")
    limits = levels("params", SPACE, evaluator, 5)
    assert limits == pytest.approx([10**6 / SPAN, 125_000, 250_000, 500_000, 10**6])
    assert limits[-1] == 10**6
    smallest = cost(Network(SPACE.smallest(32), 32, 100)).params
    narrow = Evaluator(32, 100, Budget(params=2 * smallest), "paper")
    assert levels("params", SPACE, narrow, 3)[0] == smallest
    assert levels("params", SPACE, evaluator, 1) == [10**6]


def test_a_ladder_holds_the_best_within_every_limit_in_whatever_order_they_come() -> None:
    task = task_of("params")
    evaluator, rng, mutate = (
        Evaluator(32, 100, task.budget, task.reading),
        random.Random(0),
        StepMutation(SPACE),
    )
    value, limits = axis_value("params", evaluator), levels("params", SPACE, evaluator, 8)
    genomes = {fitting_start(task, evaluator)}
    while len(genomes) < 300:
        child = mutate(rng.choice(sorted(genomes, key=evaluator.score)), evaluator.cache, rng)
        if evaluator.broken_by(child) is None:
            genomes.add(child)
    offered = [(evaluator.score(genome), born, genome) for born, genome in enumerate(genomes)]
    best = set()
    for limit in limits:
        within = sorted((m for m in offered if value(m[2]) <= limit), key=lambda m: (-m[0], m[1]))
        best |= set(within[:ELITES])
    for _ in range(3):
        rng.shuffle(offered)
        kept = Ladder(offered, limits, value, mutate, 0.1).members()
        assert set(kept) == best
        assert [value(genome) for _, _, genome in kept] == sorted(value(genome) for _, _, genome in kept)
        assert all(genome in Ladder(kept, limits, value, mutate, 0.1) for _, _, genome in kept)


def test_children_of_two_parents_are_whole_networks_of_their_parents_blocks() -> None:
    task = task_of("macs")
    best = search(task).best
    evaluator, rng = Evaluator(32, 100, task.budget, task.reading), random.Random(0)
    genomes = [evaluator.genome(candidate.network.blocks) for candidate in best]  # type: ignore[arg-type]
    mixed = 0
    for _ in range(200):
        head, tail = rng.sample(genomes, 2)
        child = crossed(head, tail, evaluator.cache, rng)
        network = evaluator.network(child)
        assert evaluator.genome(network.blocks) == child  # type: ignore[arg-type]  # sizes follow on each other
        assert child[-1].output_size == head[-1].output_size
        assert all(after.block.in_channels == before.block.out_channels for before, after in pairwise(child))
        mixed += child not in (head, tail)
    assert mixed > 100


def test_a_front_without_a_limit_on_its_axis_is_refused() -> None:
    for axis in AXES:
        with pytest.raises(UserError, match=f"front along {axis} needs the limit .* give --{axis}"):
            search(SearchTask(SPACE, 32, 100, Budget(layers=12), front=axis))


def test_every_part_of_the_axis_has_points() -> None:
    task = task_of("params", evaluations=4000)
    costs = along(search(task), task)[::-1]
    evaluator = Evaluator(32, 100, task.budget, task.reading)
    parts = {bisect_left(levels("params", SPACE, evaluator, 9), cost) for cost in costs}
    assert parts == set(range(9))
