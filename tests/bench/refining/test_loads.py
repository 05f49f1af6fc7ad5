"""Loads in a run's folder, and what of them goes into a table's journal."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from zenbench.bench.measuring.journal import Journal, journal_path, read
from zenbench.bench.measuring.measurement import Measurement
from zenbench.bench.measuring.recipe import Recipe
from zenbench.bench.measuring.subjects import subject_of
from zenbench.bench.profiling.plan import plan, sources
from zenbench.bench.profiling.profile import profile
from zenbench.bench.profiling.progress import Limits
from zenbench.bench.refining.device_loads import DeviceLoads, Reached, RecordedLoads, reach
from zenbench.bench.refining.keeping import keep, learn
from zenbench.bench.refining.loads import (
    LOADS_FILE,
    LoadFile,
    NetworkLoad,
    latencies_ms,
    load_of,
    measured_load,
)
from zenbench.bench.refining.records import load_records
from zenbench.bench.tables.from_journal import build_table
from zenbench.devices.base import Connection, SettingRequest
from zenbench.devices.card import cards
from zenbench.devices.registry import device
from zenbench.devices.simulated import SimulatedDevice
from zenbench.errors import DeviceUnavailableError, UserError
from zenbench.latency_tables.table import LatencyTable
from zenbench.zen.network import Network, parse_text
from zenbench.zen.space import spaces

NAME = "latency on simulated"


def network(width: int = 16) -> Network:
    return parse_text(f"SuperConvK3BNRELU(3,{width},2,1)SuperConvK1BNRELU({width},64,1,1)", 32, 10)


def rounds() -> tuple[Measurement, ...]:
    driver = device("simulated")
    return measured_load(driver, driver.setting(SettingRequest()), network())


def test_a_load_is_kept_whole_and_read_again(tmp_path: Path) -> None:
    load = load_of(2, NAME, network(), rounds(), 0.25)
    assert load.ms is not None and load.ms == min(
        min(one.timing.samples.ms) for one in load.measurements if one.timing
    )
    LoadFile(tmp_path, {}).append(load)
    assert LoadFile(tmp_path, {}).loads == [load]


def test_a_torn_line_is_dropped_and_damage_is_named(tmp_path: Path) -> None:
    file = LoadFile(tmp_path, {})
    file.append(load_of(1, NAME, network(), rounds(), 0.25))
    whole = (tmp_path / LOADS_FILE).read_text()
    (tmp_path / LOADS_FILE).write_text(whole + whole[:50])
    assert len(LoadFile(tmp_path, {}).loads) == 1
    assert (tmp_path / LOADS_FILE).read_text() == whole
    (tmp_path / LOADS_FILE).write_text(whole + '{"round": 1}\n')
    with pytest.raises(UserError, match="damaged at line 3"):
        LoadFile(tmp_path, {})


def test_a_slower_clock_is_divided_out() -> None:
    loads = [
        NetworkLoad(1, NAME, network(), ms, clock, None, 0.1)
        for ms, clock in ((5.0, 1.0), (5.5, 1.1), (5.0, 1.0))
    ]
    assert latencies_ms(loads)[network(), NAME] == pytest.approx([5.0, 5.0, 5.0])


def test_loads_end_with_their_time_and_count_what_was_taken_before(tmp_path: Path) -> None:
    driver = device("simulated")
    reached = {NAME: Reached(driver, driver.setting(SettingRequest()))}
    source = DeviceLoads(LoadFile(tmp_path, {}), reached, 1e9)
    assert source.take(1, NAME, network())
    assert not DeviceLoads(LoadFile(tmp_path, {}), reached, 1e-9).take(1, NAME, network())


def test_recorded_loads_are_given_again_once_each() -> None:
    first, second = (NetworkLoad(1, NAME, network(), ms, 1.0, None, 0.1) for ms in (5.0, 6.0))
    again = [NetworkLoad.from_json(record) for record in load_records([first, second])]
    source = RecordedLoads(again)
    assert not source.take(2, NAME, network()) and not source.take(1, NAME, network(24))
    assert source.take(1, NAME, network()) and source.take(1, NAME, network())
    assert source.loads == [first, second] and not source.take(1, NAME, network())


def test_a_table_of_another_machine_is_not_at_hand(table: LatencyTable) -> None:
    assert isinstance(reach(table, Connection()), Reached)
    other = replace(table, card=replace(table.card, identity={"cpu": "another"}))
    assert reach(other, Connection()) == "its table was measured on another one"


@pytest.fixture
def table(tmp_path: Path) -> LatencyTable:
    """A small measured table with a journal; one of its networks is held out."""
    path, driver = tmp_path / "t.csv", SimulatedDevice(device("simulated")._card)  # type: ignore[attr-defined]
    setting = driver.setting(SettingRequest())
    with Journal(journal_path(path)) as journal:
        items = plan(sources(spaces()["mobilenet"]), [32], 0, journal.history)
        recipe = Recipe(rounds=3, round_ms=1.0, window=4)
        profile(driver, setting, items, journal, recipe, Limits(workloads=24), hold_out=[network(24)])
        build_table(journal.history).save(path)
    return LatencyTable.load(path)


def test_a_table_with_a_journal_learns_what_was_measured_once(table: LatencyTable, tmp_path: Path) -> None:
    there = reach(table, Connection())
    assert isinstance(there, Reached) and table.path is not None
    loads = [
        load_of(1, NAME, one, measured_load(there.driver, there.setting, one), 0.1)
        for one in (network(), network(24))
    ]
    for _ in range(2):  # one that was interrupted here keeps its loads again
        assert keep(loads, table, there, tmp_path / "run") is None
    assert LatencyTable.load(table.path) == table
    learn(table)
    assert LatencyTable.load(tmp_path / f"run/simulated-{table.card.setting.file_stem}.csv") == table
    history, learned = read(journal_path(table.path)), LatencyTable.load(table.path)
    assert network() in learned.networks and network(24) in learned.hold_out
    key = subject_of(network()).key
    assert len([one for one in history.measurements if one.subject == key]) == len(loads[0].measurements)


def test_a_device_that_is_gone_costs_the_table_alone(table: LatencyTable, tmp_path: Path) -> None:
    class Gone(SimulatedDevice):
        def identity(self) -> Mapping[str, str]:
            raise DeviceUnavailableError("it was unplugged")

    there = reach(table, Connection())
    assert isinstance(there, Reached)
    gone = Reached(Gone(cards()["simulated"]), there.setting)
    why_not = keep([load_of(1, NAME, network(), rounds(), 0.1)], table, gone, tmp_path)
    assert why_not is not None and "unplugged" in why_not


def test_loads_of_another_search_are_refused(tmp_path: Path) -> None:
    LoadFile(tmp_path, {"seed": 1}).append(load_of(1, NAME, network(), rounds(), 0.1))
    with pytest.raises(UserError, match="another search"):
        LoadFile(tmp_path, {"seed": 2})


def test_a_table_of_another_setting_is_not_measured(table: LatencyTable) -> None:
    pinned = replace(table, card=replace(table.card, setting=replace(table.card.setting, pinning="pinned")))
    found = reach(pinned, Connection())
    assert isinstance(found, str) and "would measure" in found


def test_a_table_without_a_journal_is_left_alone(table: LatencyTable, tmp_path: Path) -> None:
    there = reach(table, Connection())
    assert isinstance(there, Reached) and table.path is not None
    journal_path(table.path).unlink()
    before = table.path.read_text()
    assert keep([load_of(1, NAME, network(), rounds(), 0.1)], table, there, tmp_path) is None
    assert table.path.read_text() == before and not journal_path(table.path).exists()
