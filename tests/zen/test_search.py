"""Search: within every budget, seeded, better than chance, honest about what it turned away."""

import subprocess
import sys
from collections.abc import Sequence

import pytest
from zenbench.errors import UserError
from zenbench.zen.budget import Budget, Estimate, LatencyLimit, Part
from zenbench.zen.cost import cost, workload_cost
from zenbench.zen.network import Network
from zenbench.zen.proxies.closed_form import zen_closed
from zenbench.zen.search import SearchProgress, SearchResult, search
from zenbench.zen.space import SPACES
from zenbench.zen.workload import Workload


class MacsModel:
    """A latency model as a user would write one: so many MACs a millisecond, 10 % more for the whole."""

    device, setting = "toy", "toy/fp32/b1/t1/free"

    def block(self, workload: Workload) -> Part:
        return Part(workload_cost(workload).macs / 1e7)

    def total(self, parts: Sequence[Part], network: Network) -> Estimate:
        ms = Part.sum(parts).ms
        return Estimate(1.1 * ms, 0.1 * ms, 0.0, ms)


def small_search(budget: Budget, seed: int = 0, evaluations: int = 600, **options: object) -> SearchResult:
    return search(
        SPACES["resnet"], 32, 100, budget, evaluations=evaluations, population=64, seed=seed, **options
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "budget",
    [
        Budget(params=10**6, layers=18),
        Budget(macs=50 * 10**6),
        Budget(peak_activation_bytes=10**6, layers=12),
        Budget(layers=12, latencies=(LatencyLimit(8.0, MacsModel()),)),
        Budget(layers=12, latencies=(LatencyLimit(8.0, MacsModel()), LatencyLimit(4.0, MacsModel()))),
    ],
)
def test_every_result_fits_the_budget(budget: Budget) -> None:
    result = small_search(budget)
    assert result.evaluated == 600
    assert sum(result.rejected.values()) > 0
    for candidate in result.best:
        assert budget.broken_by(cost(candidate.network)) is None
        assert candidate.cost == cost(candidate.network)
        for limit, estimate in zip(budget.latencies, candidate.estimates, strict=True):
            assert estimate.ms == pytest.approx(limit.estimate(candidate.network).ms)
            assert estimate.ms <= limit.limit_ms


@pytest.mark.parametrize("reading", ["paper", "running"])
def test_scores_kept_per_block_are_the_scores_of_the_networks(reading: str) -> None:
    result = small_search(Budget(params=10**6, layers=18), reading=reading)
    for candidate in result.best:
        assert candidate.score == pytest.approx(zen_closed(candidate.network, reading), abs=1e-9)  # type: ignore[arg-type]


def test_results_are_sorted_and_distinct() -> None:
    result = small_search(Budget(params=10**6, layers=18))
    scores = [candidate.score for candidate in result.best]
    assert scores == sorted(scores, reverse=True)
    assert len({candidate.network.digest for candidate in result.best}) == len(result.best) == 20
    assert result.history[-1][1] == scores[0]
    assert [score for _, score in result.history] == sorted(score for _, score in result.history)


def test_evolution_beats_its_start_and_more_evaluations_do_not_hurt() -> None:
    budget = Budget(params=10**6, layers=18)
    short, long = (small_search(budget, evaluations=count).best[0].score for count in (200, 3000))
    assert zen_closed(Network(SPACES["resnet"].start(32), 32, 100)) < short < long


SCRIPT = """
from zenbench.zen.budget import Budget
from zenbench.zen.search import search
from zenbench.zen.space import SPACES
result = search(SPACES["mobilenet"], 64, 10, Budget(macs=60_000_000, layers=14), evaluations=800, seed=3)
print([(c.network.digest, c.score) for c in result.best], sorted(result.rejected.items()))
"""


def test_same_seed_same_result_in_any_process() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for hash_seed in ("0", "1")
    }
    assert len(outputs) == 1
    assert small_search(Budget(layers=12), seed=1).best[0] != small_search(Budget(layers=12), seed=2).best[0]


@pytest.mark.parametrize(
    "budget, named",
    [
        (Budget(params=10), "params"),
        (Budget(macs=10), "macs"),
        (Budget(layers=2), "layers"),
        (Budget(latencies=(LatencyLimit(1e-6, MacsModel()),)), "latency on toy"),
    ],
)
def test_impossible_budget_is_refused_with_the_smallest_value(budget: Budget, named: str) -> None:
    with pytest.raises(UserError, match=f"impossible budget: .* has {named} [0-9]"):
        small_search(budget)


def test_a_start_over_budget_is_thinned() -> None:
    result = small_search(Budget(params=20_000), evaluations=50)
    assert cost(result.start).params <= 20_000 < cost(Network(SPACES["resnet"].start(32), 32, 100)).params


def test_a_space_that_runs_dry_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zenbench.zen.search.PATIENCE", 300)
    smallest = cost(Network(SPACES["resnet"].smallest(32), 32, 100))
    result = small_search(Budget(params=smallest.params + 1), evaluations=10**6)
    assert result.evaluated < 10**6
    assert result.stopped is not None and "300" in result.stopped


def test_progress_reports_and_an_interrupt_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zenbench.zen.search._REPORT_EVERY_SECONDS", 0.0)
    seen: list[SearchProgress] = []
    small_search(Budget(layers=12), progress=seen.append)
    assert [now.evaluated for now in seen] == sorted(now.evaluated for now in seen)
    assert len(seen) > 1

    def interrupt(now: SearchProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small_search(Budget(layers=12), progress=interrupt)
