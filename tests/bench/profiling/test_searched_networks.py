"""Networks of short searches in a profile: half of those to learn from, half of those held out."""

from itertools import islice
from pathlib import Path

import pytest
from toys import TINY_SPACE
from zenbench.bench.measuring.journal import History, Journal
from zenbench.bench.measuring.recipe import Recipe
from zenbench.bench.measuring.subjects import subject_of
from zenbench.bench.profiling import searched_networks
from zenbench.bench.profiling.hold_out import SearchedHoldOut
from zenbench.bench.profiling.plan import plan, random_networks, searches, sources
from zenbench.bench.profiling.profile import profile
from zenbench.bench.profiling.progress import HOLD_OUT_VISITS, Limits, Progress
from zenbench.bench.tables.from_journal import build_table
from zenbench.devices.base import SettingRequest
from zenbench.devices.card import cards
from zenbench.devices.simulated import SimulatedDevice
from zenbench.errors import UserError
from zenbench.latency_tables.measured.model import TableModel
from zenbench.zen.network import Network
from zenbench.zen.space import parse_space, spaces

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


def test_where_searches_find_nothing_all_networks_are_drawn(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_nothing(*arguments: object, **options: object) -> None:
        raise UserError("impossible budget")

    monkeypatch.setattr(searched_networks, "search", find_nothing)
    assert SEARCHES.found(TableModel(build_table(history)), 0) == []
    assert SearchedHoldOut(SEARCHES, 3, []).found(history) == []
    planned = [item for item in islice(plan(SPACE, [32], 0, history), 280) if isinstance(item, Network)]
    fresh = [network for network in planned if network not in history.networks.values()]
    drawn = set(islice(random_networks(SPACE, [32], 1), 200))
    assert len(fresh) >= 4 and set(fresh) <= drawn


def test_a_space_of_few_networks_gives_each_once(history: History) -> None:
    tiny = sources(parse_space(TINY_SPACE, "tiny.toml"))
    found = SearchedHoldOut(searches(tiny, [32], 0), 12, []).found(history)
    assert 1 <= len(set(found)) == len(found) < 12


def test_what_calibrates_is_not_held_out(history: History) -> None:
    best = SearchedHoldOut(SEARCHES, 1, []).found(history)[0]
    learned = History(
        history.sessions,
        history.starts,
        history.measurements,
        {**history.networks, subject_of(best).key: best},
    )
    others = SearchedHoldOut(SEARCHES, 2, []).found(learned)
    assert len(others) == 2 and best not in others


def test_an_interrupted_profile_goes_on_with_its_searched_hold_out_networks(tmp_path: Path) -> None:
    class StopHereError(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.hold_out:
            raise StopHereError

    path = tmp_path / "j.jsonl"
    device = SimulatedDevice(cards()["simulated"])
    with pytest.raises(StopHereError), Journal(path) as journal:
        items = plan(SPACE, [32], 0, journal.history)
        setting, hold_out = device.setting(SettingRequest()), SearchedHoldOut(SEARCHES, 3, [])
        profile(device, setting, items, journal, RECIPE, Limits(40), stop, searched=hold_out)
    begun = set(journal.history.hold_out)
    assert len(begun) == 3
    again = profiled(path, 60, SearchedHoldOut(SEARCHES, 3, []))
    assert again.hold_out == begun
    subjects = [one.subject for one in again.measurements]
    assert {subjects.count(key) for key in begun} == {HOLD_OUT_VISITS * RECIPE.rounds}


def test_a_verdict_waits_for_the_searched_hold_out_networks(tmp_path: Path) -> None:
    device, seen = SimulatedDevice(cards()["simulated"]), []

    def enough(history: History) -> bool:
        seen.append(len(history.hold_out))
        return len(history.measurements) > 200

    with Journal(tmp_path / "j.jsonl") as journal:
        items = plan(SPACE, [32], 0, journal.history)
        setting, hold_out = device.setting(SettingRequest()), SearchedHoldOut(SEARCHES, 2, [])
        profile(device, setting, items, journal, RECIPE, Limits(90), enough=enough, searched=hold_out)
    assert seen[0] == 0 and seen[-1] == 2
