"""Networks of short searches in a profile: half of those to learn from, half of those held out."""

from itertools import islice
from pathlib import Path

import pytest
from zenbench.bench.measuring.journal import History, Journal
from zenbench.bench.measuring.recipe import Recipe
from zenbench.bench.measuring.subjects import subject_of
from zenbench.bench.profiling.hold_out import SearchedHoldOut
from zenbench.bench.profiling.plan import plan, random_networks, searches, sources
from zenbench.bench.profiling.profile import profile
from zenbench.bench.profiling.progress import Limits
from zenbench.bench.tables.from_journal import build_table
from zenbench.devices.base import SettingRequest
from zenbench.devices.card import cards
from zenbench.devices.simulated import SimulatedDevice
from zenbench.latency_tables.measured.model import TableModel
from zenbench.zen.network import Network
from zenbench.zen.space import spaces

RECIPE = Recipe(rounds=3, round_ms=1.0, min_runs=3, max_runs=5, window=12)
SPACE = sources(spaces()["mobilenet"])
SEARCHES = searches(SPACE, [32], 7)


def profiled(path: Path, blocks: int, hold_out: SearchedHoldOut | None = None) -> History:
    device = SimulatedDevice(cards()["simulated"])
    with Journal(path) as journal:
        items = plan(SPACE, [32], 0, journal.history)
        limits = Limits(workloads=blocks)
        setting = device.setting(SettingRequest())
        profile(device, setting, items, journal, RECIPE, limits, searched=hold_out)
        return journal.history


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return profiled(tmp_path_factory.mktemp("profile") / "j.jsonl", 140)


def test_half_of_the_networks_to_learn_from_are_searched(history: History) -> None:
    networks = list(history.networks.values())
    drawn = set(islice(random_networks(SPACE, [32], 1), 200))
    searched = [network for network in networks if network not in drawn]
    assert len(set(networks)) == len(networks) >= 11
    # The first come before the table can predict.
    assert len(networks) / 4 <= len(searched) <= len(networks) / 2 + 1


def test_a_plan_follows_from_what_is_known(history: History) -> None:
    first, second = (list(islice(plan(SPACE, [32], 0, history), 220)) for _ in range(2))
    assert first == second


def test_finalists_of_a_search_differ_and_are_within_reach_of_the_table(history: History) -> None:
    model = TableModel(build_table(history))
    found = SEARCHES.found(model, 3)
    assert 1 < len(set(found)) == len(found)
    assert found == SEARCHES.found(model, 3) != SEARCHES.found(model, 4)
    assert all(network.layers <= 60 for network in found)


def test_a_table_too_small_to_predict_finds_nothing(tmp_path: Path) -> None:
    small = profiled(tmp_path / "j.jsonl", 4)
    assert SEARCHES.found(TableModel(build_table(small)), 0) == []


def test_searched_hold_out_networks_join_once_and_are_never_learned_from(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    beside: list[Network] = []
    first = profiled(path, 110, SearchedHoldOut(SEARCHES, 3, beside))
    held = {key: first.networks[key] for key in first.hold_out}
    assert len(held) == 3
    again = profiled(path, 150, SearchedHoldOut(SEARCHES, 3, beside))
    assert again.hold_out == first.hold_out
    table = build_table(again)
    assert set(table.hold_out) == set(held.values()) and not set(table.networks) & set(table.hold_out)
    visits = [one.subject for one in again.measurements if one.subject in held]
    assert all(visits.count(subject_of(network).key) >= 4 * RECIPE.rounds for network in held.values())
