"""Tables of blocks that were timed alone: kept beside the one that takes their place, loaded, never mixed."""

import json
from pathlib import Path

import pytest
from toys import SIMULATED, measured_card, row
from zenbench.bench.measuring.journal import Journal, MeasuringSession, journal_path, read
from zenbench.bench.measuring.measurement import Measurement, Timing
from zenbench.bench.measuring.recipe import REFERENCE, Recipe
from zenbench.bench.measuring.samples import Samples
from zenbench.bench.profiling.earlier_tables import set_aside
from zenbench.bench.tables.from_journal import build_table
from zenbench.devices.base import DeviceState, Sample
from zenbench.devices.card import card
from zenbench.devices.simulated import SimulatedDevice
from zenbench.errors import TableError, UserError
from zenbench.latency_tables.table import LatencyTable
from zenbench.latency_tables.table_files import card_path, networks_path
from zenbench.zen.families import zoo

DEVICE = SimulatedDevice(card("simulated"))
PROFILE = ("profile", "--device", "simulated", "--resolution", "32", "--blocks", "6", "--table", "t.csv")


def earlier_table(path: Path) -> bytes:
    """A table and its journal as they were before there were contexts; the bytes of the journal."""
    journal = journal_path(path)
    with Journal(journal) as open_journal:
        open_journal.head(
            MeasuringSession(SIMULATED, {"cpu": "simulated"}, {}, Recipe(), REFERENCE, "2026-01-01")
        )
        for workload in zoo("resnet-18").workloads()[:3]:
            timing = Timing((), Samples((Sample(1.0),)), 1.0)
            state = DeviceState()
            open_journal.append(Measurement(str(workload), timing, None, state, state, "2026-01-01"))
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    del lines[0]["basis"]
    for name in ("cold_runs", "last_cache_mb"):
        del lines[0]["recipe"][name]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    build_table(read(journal)).save(path)
    return journal.read_bytes()


def test_an_earlier_table_loads_and_says_how_it_was_measured(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    earlier_table(path)
    assert "basis" not in json.loads(card_path(path).read_text())
    table = LatencyTable.load(path)
    assert table.card.basis == "alone" and len(table.rows) == 3


def test_profile_keeps_an_earlier_table_and_starts_anew(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "t.csv"
    journal = earlier_table(path)
    done = run(*PROFILE)
    assert done.code == 0 and "timed alone" in done.err and "t.alone.csv" in done.err
    kept = tmp_path / "t.alone.csv"
    assert journal_path(kept).read_bytes() == journal
    assert len(LatencyTable.load(kept).rows) == 3
    assert LatencyTable.load(path).card.basis == "in-context"
    assert run("predict", "zoo:zennet-cifar-0.5m", "--table", str(kept)).code in (0, 2)


def test_what_was_kept_before_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for kept in ("t.alone.csv", "t.alone-2.csv"):
        earlier_table(path)
        assert set_aside(path, DEVICE, SIMULATED) == tmp_path / kept
    assert not any(file_of(path).exists() for file_of in (card_path, networks_path, journal_path))
    assert set_aside(path, DEVICE, SIMULATED) is None


def test_an_interrupted_renaming_is_taken_up_again(tmp_path: Path) -> None:
    path, kept = tmp_path / "t.csv", tmp_path / "t.alone.csv"
    earlier_table(path)
    card_path(path).replace(card_path(kept))
    assert set_aside(path, DEVICE, SIMULATED) == kept
    assert len(LatencyTable.load(kept).rows) == 3


def test_a_table_in_use_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    earlier_table(path)
    with Journal(journal_path(path)), pytest.raises(UserError, match="another zenbench"):
        set_aside(path, DEVICE, SIMULATED)
    assert path.exists()


def test_tables_of_two_ways_do_not_merge() -> None:
    unit = zoo("zennet-cifar-0.5m").workloads()[0]
    alone = LatencyTable(measured_card(), {unit: row(1.0)})
    in_context = LatencyTable(measured_card(basis="in-context"), {unit: row(1.0)})
    with pytest.raises(TableError, match="does not merge"):
        alone.merged_with(in_context)


def test_a_table_of_another_setting_stays_where_it_is(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "t.csv"
    journal = earlier_table(path)
    refused = run(*PROFILE, "--threads", "2")
    assert refused.code == 2 and "one table holds one setting" in refused.err
    assert journal_path(path).read_bytes() == journal and path.exists()


def test_nothing_of_the_user_s_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    earlier_table(path)
    (tmp_path / "t.alone.csv").write_text("mine")
    assert set_aside(path, DEVICE, SIMULATED) == tmp_path / "t.alone-2.csv"
    assert (tmp_path / "t.alone.csv").read_text() == "mine"
