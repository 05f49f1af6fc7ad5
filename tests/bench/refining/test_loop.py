"""The loop of a search: what it measures, what it learns from that, when it ends, how it goes on."""

from collections.abc import Callable

import pytest
from zenbench.bench.refining.loads import NetworkLoad
from zenbench.bench.refining.loop import FINALISTS, ROUNDS, Refined, RoundReport, evaluation_goals, refine
from zenbench.bench.refining.standing import CONFIRMING_LOADS as LOADS
from zenbench.bench.tables.prediction import open_model
from zenbench.devices.base import SettingRequest
from zenbench.errors import DeviceUnavailableError
from zenbench.latency_tables.predictor import Predictor
from zenbench.zen.network import Network
from zenbench.zen.search import Budget, LatencyLimit, SearchTask, search
from zenbench.zen.search.evaluator import Candidate
from zenbench.zen.search.run import SearchResult, SearchState
from zenbench.zen.space import open_space

LIMIT_MS = 2.0
NAME = "latency on t4"


@pytest.fixture(scope="module")
def model() -> Predictor:
    return open_model("t4", SettingRequest())


class Made:
    """Loads of a device on which every network takes `factor` times what the table predicts."""

    def __init__(
        self, model: Predictor, factor: float = 1.0, most: int = 1_000, fail: Callable[[int], object] = bool
    ) -> None:
        self.model, self.factor, self.most, self.fail = model, factor, most, fail
        self.loads: list[NetworkLoad] = []

    def has_time_for(self, count: int) -> bool:
        return len(self.loads) + count <= self.most

    def charge(self, seconds: float) -> None:
        """A made device has all the time."""

    def take(self, number: int, label: str, network: Network) -> bool:
        if not self.has_time_for(1):
            return False
        self.fail(len(self.loads))
        ms = self.factor * self.model.estimate(network).ms
        self.loads.append(NetworkLoad(number, label, network, ms, 1.0, None, 0.5))
        return True


def task(model: Predictor, evaluations: int = 1_600) -> SearchTask:
    budget = Budget(layers=10, latencies=(LatencyLimit(LIMIT_MS, model),))
    return SearchTask(open_space("resnet"), 64, 10, budget, evaluations=evaluations)


def search_on(task: SearchTask, state: SearchState | None) -> SearchResult:
    return search(task, state=state)


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.25])
def test_the_winner_holds_the_limit_on_a_device_that_is_otherwise_than_its_table(
    model: Predictor, factor: float
) -> None:
    source = Made(model, factor)
    found = refine(task(model), [NAME], source, search_on)
    assert found.winner is not None and found.winner.loads >= LOADS
    true_ms = factor * model.estimate(found.winner.candidate.network).ms
    assert 0.85 * LIMIT_MS <= true_ms <= 0.97 * LIMIT_MS
    first, last = ([one for one in found.finalists if one.round == number] for number in (1, 2))
    for finalist in last:  # corrected by what the first round measured
        assert abs(finalist.relative_errors[0]) < 0.02
    assert factor == 1.0 or all(abs(one.relative_errors[0]) > 0.08 for one in first)


def test_finalists_of_a_round_differ_and_none_is_measured_in_two(model: Predictor) -> None:
    found = refine(task(model), [NAME], Made(model), search_on)
    networks = [one.candidate.network for one in found.finalists]
    assert len(set(networks)) == len(networks)
    assert len([one for one in found.finalists if one.round == 1]) == FINALISTS
    assert len({one.candidate.cost.layers for one in found.finalists if one.round == 1}) > 1


def test_it_ends_after_two_rounds_without_a_new_leader_or_with_its_time(model: Predictor) -> None:
    reports: list[RoundReport] = []
    refine(task(model, 400), [NAME], Made(model), search_on, report=reports.append)
    leaders = [report.leader and report.leader.candidate.network for report in reports]
    assert len(reports) == ROUNDS or leaders[-1] == leaders[-2] == leaders[-3]
    short = Made(model, most=FINALISTS + LOADS - 1)
    found = refine(task(model), [NAME], short, search_on)
    assert {one.round for one in found.finalists} == {1} and found.winner is not None


def test_little_time_confirms_one_instead_of_measuring_more(model: Predictor) -> None:
    found = refine(task(model), [NAME], Made(model, most=LOADS + 1), search_on)
    assert found.winner is not None and len(found.finalists) < FINALISTS


def test_no_network_within_the_limit_names_the_nearest(model: Predictor) -> None:
    found = refine(task(model, 400), [NAME], Made(model, 40.0, most=12), search_on)
    assert found.winner is None and found.nearest is not None
    assert found.nearest.share == min(one.share for one in found.finalists) > 1
    assert found.ranked(20).best[0].network == found.nearest.candidate.network


def test_an_interrupted_loop_goes_on_to_the_same_finalists(model: Predictor) -> None:
    whole = refine(task(model), [NAME], Made(model, 1.1), search_on)
    for stop in (3, FINALISTS + LOADS + 2):
        found = _resumed(model, stop)
        assert [one.candidate.network for one in found.finalists] == [
            one.candidate.network for one in whole.finalists
        ]
        assert found.winner == whole.winner


def _resumed(model: Predictor, stop: int) -> Refined:
    states: list[SearchState] = []

    def kept(task: SearchTask, state: SearchState | None) -> SearchResult:
        result = search_on(task, state)
        states.append(result.state)
        return result

    def interrupt(count: int) -> None:
        if count == stop:
            raise KeyboardInterrupt

    source = Made(model, 1.1, fail=interrupt)
    with pytest.raises(KeyboardInterrupt):
        refine(task(model), [NAME], source, kept)
    source.fail = bool
    return refine(task(model), [NAME], source, search_on, SearchState.from_json(states[-1].to_json()))


def test_a_device_that_goes_ends_the_loop_and_not_the_search(model: Predictor) -> None:
    def gone(count: int) -> None:
        if count == 2:
            raise DeviceUnavailableError("unplugged")

    found = refine(task(model), [NAME], Made(model, fail=gone), search_on)
    assert found.stopped == "unplugged" and len(found.finalists) == 2
    assert found.result.evaluated == task(model).evaluations


def test_a_network_that_fails_is_left_out_with_its_reason(model: Predictor) -> None:
    class Failing(Made):
        def take(self, number: int, label: str, network: Network) -> bool:
            if self.loads:
                return super().take(number, label, network)
            self.loads.append(NetworkLoad(number, label, network, None, None, "no memory", 0.5))
            return True

    found = refine(task(model), [NAME], Failing(model), search_on)
    failed = [one for one in found.finalists if one.error is not None]
    assert [one.error for one in failed] == ["no memory"]
    assert found.winner is not None and found.winner.candidate.network != failed[0].candidate.network


def test_half_of_the_evaluations_come_first_and_the_rest_in_equal_parts() -> None:
    goals = evaluation_goals(96_000)
    assert goals == [48_000, 60_000, 72_000, 84_000, 96_000]
    assert evaluation_goals(1)[-1] == 1


def test_the_first_of_a_given_order_that_is_confirmed_wins(model: Predictor) -> None:
    seen: list[Refined] = []

    def order(refined: Refined) -> list[Candidate]:
        seen.append(refined)
        return sorted(refined.possible(20), key=lambda one: one.score)

    source = Made(model)
    found = refine(task(model), [NAME], source, search_on, order=order)
    wanted = order(seen[0])
    assert found.winner is not None and found.winner.candidate.network == wanted[0].network
    assert found.winner.is_confirmed and found.ranked(20).best[0].network == wanted[0].network
    plain = refine(task(model), [NAME], Made(model), search_on)
    assert plain.winner is not None and plain.winner.candidate.score > wanted[0].score


def test_of_a_given_order_those_that_exceed_the_limit_do_not_win(model: Predictor) -> None:
    class Slower(Made):
        """Further loads of the network that is wanted most exceed the limit."""

        wanted: Network | None = None

        def take(self, number: int, label: str, network: Network) -> bool:
            if network != self.wanted:
                return super().take(number, label, network)
            self.loads.append(NetworkLoad(number, label, network, 1.3 * LIMIT_MS, 1.0, None, 0.5))
            return True

    source, wanted = Slower(model), list[Candidate]()

    def order(refined: Refined) -> list[Candidate]:
        loaded_once = [one.candidate for one in refined.finalists if one.is_promising and one.loads == 1]
        wanted.extend(loaded_once[:2])
        source.wanted = wanted[0].network
        return wanted

    found = refine(task(model), [NAME], source, search_on, order=order)
    assert found.winner is not None and found.winner.candidate.network == wanted[1].network


def test_the_rounds_leave_time_to_confirm_what_is_ordered(model: Predictor) -> None:
    source = Made(model, most=20)
    found = refine(task(model), [NAME], source, search_on, order=lambda refined: refined.possible(20)[::-1])
    assert found.winner is not None and found.winner.is_confirmed
    assert max(load.round for load in source.loads) >= 1 and len(source.loads) <= 20
