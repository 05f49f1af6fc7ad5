"""Tables on disk: round trip, merging, and damage answered in one sentence."""

import csv
import hashlib
import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from toys import measured_card, row
from zenbench.devices.base import Setting
from zenbench.errors import TableError
from zenbench.latency_tables.card import TableCard
from zenbench.latency_tables.row import Row
from zenbench.latency_tables.table import LatencyTable
from zenbench.latency_tables.table_files import card_path, networks_path
from zenbench.zen.families import zoo

NETWORK = zoo("zennet-cifar-0.5m")
WORKLOADS = tuple(dict.fromkeys(NETWORK.workloads()))


def make_table(latency_ms: float = 1.0, **card: Any) -> LatencyTable:
    base = TableCard(
        Setting("host", "onnxruntime", pinning="pinned"),
        "measured",
        {"cpu": "some CPU"},
        {"onnxruntime": "1"},
        {"rounds": 5},
        "reference",
        0.3,
        "2026-01-01T00:00:00+00:00",
        "test",
    )
    rows = {
        workload: Row(latency_ms * (index + 1), latency_ms * (index + 1), 0.02, 5, 50, "quiet")
        for index, workload in enumerate(WORKLOADS)
    }
    return LatencyTable(replace(base, **card), rows, {NETWORK: Row(9.0, 9.1, 0.01, 5, 15, "noisy")})


def test_round_trip(tmp_path: Path) -> None:
    table = make_table()
    table.save(tmp_path / "t.csv")
    assert LatencyTable.load(tmp_path / "t.csv") == table


def test_a_card_that_json_cannot_hold_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        make_table(reference_ms=math.nan).save(tmp_path / "t.csv")
    assert list(tmp_path.iterdir()) == []


HOLD_OUT = zoo("zennet-cifar-1m")
SETTING = asdict(Setting("host", "onnxruntime", pinning="pinned"))


def test_judging_networks_come_back_apart_and_old_files_without_roles_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    table = replace(make_table(), hold_out={HOLD_OUT: Row(9.0, 9.1, 0.01, 10, 30, "quiet")})
    table.save(path)
    assert LatencyTable.load(path) == table
    plain = make_table()
    plain.save(path)
    file, card = networks_path(path), card_path(path)
    old = file.read_text().replace(",role,", ",").replace(",calibrating,", ",")
    data = json.loads(card.read_text())
    data["sha256"]["networks"] = hashlib.sha256(old.encode()).hexdigest()
    file.write_text(old)
    card.write_text(json.dumps(data))
    assert LatencyTable.load(path) == plain


def test_a_network_that_one_table_learned_from_judges_no_more() -> None:
    row = Row(9.0, 9.1, 0.01, 10, 30, "quiet")
    learned, judged = make_table(), replace(make_table(), networks={}, hold_out={NETWORK: row, HOLD_OUT: row})
    for merged in (learned.merged_with(judged), judged.merged_with(learned)):
        assert list(merged.hold_out) == [HOLD_OUT]
        assert NETWORK in merged.networks


def test_merge_averages_by_rounds() -> None:
    first, second = make_table(1.0), make_table(2.0)
    merged = first.merged_with(second)
    row = merged.rows[WORKLOADS[0]]
    assert row.latency_ms == pytest.approx(1.5)
    assert row.rounds == 10
    assert row.spread > first.rows[WORKLOADS[0]].spread, "sittings that disagree are less sure"
    assert len(merged.rows) == len(first.rows)


def test_merge_refuses_other_settings_and_machines() -> None:
    table = make_table()
    with pytest.raises(TableError, match="two settings"):
        table.merged_with(make_table(setting=Setting("host", "onnxruntime", threads=2, pinning="pinned")))
    with pytest.raises(TableError, match="two machines"):
        table.merged_with(make_table(identity={"cpu": "another CPU"}))


def test_missing_table_and_missing_card(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with pytest.raises(TableError, match="there is no table"):
        LatencyTable.load(path)
    make_table().save(path)
    card_path(path).unlink()
    with pytest.raises(TableError, match="no card"):
        LatencyTable.load(path)


@pytest.mark.parametrize("damage", ["rows", "networks", "truncated rows"])
def test_hand_damaged_files_do_not_match_their_card(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "t.csv"
    make_table().save(path)
    file = networks_path(path) if damage == "networks" else path
    text = file.read_text()
    file.write_text(
        text[: len(text) // 2] if damage == "truncated rows" else text.replace("quiet", "noisy") + "x"
    )
    with pytest.raises(TableError, match="does not match its card"):
        LatencyTable.load(path)


@pytest.mark.parametrize(
    "entry, value",
    [
        ("schema", "other/9"),
        ("setting", {"device": "host"}),
        ("setting", "host"),
        ("provenance", "guessed"),
        ("reference_ms", -1),
        ("reference_ms", 10**400),
        ("reference_ms", "0.3"),
        ("setting", SETTING | {"batch": "1"}),
        ("setting", SETTING | {"batch": 10**30}),
        ("setting", SETTING | {"threads": 1.0}),
        ("setting", SETTING | {"device": ["host"]}),
        ("identity", [1]),
        ("source", None),
        ("surprise", 1),
    ],
)
def test_damaged_card(tmp_path: Path, entry: str, value: object) -> None:
    path = tmp_path / "t.csv"
    make_table().save(path)
    card = json.loads(card_path(path).read_text())
    card[entry] = value
    card_path(path).write_text(json.dumps(card))
    with pytest.raises(TableError, match="card"):
        LatencyTable.load(path)


def test_card_that_is_not_json(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    make_table().save(path)
    for text in ("{", '{"schema": ' + 100_000 * "["):
        card_path(path).write_text(text)
        with pytest.raises(TableError, match="not valid JSON"):
            LatencyTable.load(path)


@pytest.mark.parametrize(
    ("cell", "value", "reason"),
    [
        (1, "1e300", "line 2 holds an impossible value"),
        (1, "1e-300", "line 2 holds an impossible value"),
        (3, "1e200", "line 2 holds an impossible value"),
        (4, "9" * 400, "line 2 holds an impossible value"),
        (4, "9" * 5000, "line 2 is no table row"),
        (0, "x" * 200_000, "is not valid CSV"),
    ],
    ids=["too long", "too short", "too wide", "too many", "too many digits", "too large a cell"],
)
def test_rows_that_cannot_be(tmp_path: Path, cell: int, value: str, reason: str) -> None:
    path = tmp_path / "t.csv"
    make_table().save(path)
    edit(path, path, cell, value)
    with pytest.raises(TableError, match=reason):
        LatencyTable.load(path)


def test_a_network_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    make_table().save(path)
    edit(path, networks_path(path), 0, 100_000 * "[")
    with pytest.raises(TableError, match="recursion"):
        LatencyTable.load(path)


def edit(path: Path, file: Path, cell: int, value: str) -> None:
    """Writes a cell into the first row of one of a table's files, and the digests of what they hold now."""
    with file.open(newline="") as source:
        rows = list(csv.reader(source))
    rows[1][cell] = value
    with file.open("w", newline="") as target:
        csv.writer(target, lineterminator="\n").writerows(rows)
    card = json.loads(card_path(path).read_text())
    files = {"rows": path, "networks": networks_path(path)}
    card["sha256"] = {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()}
    card_path(path).write_text(json.dumps(card))


@pytest.mark.parametrize(
    "changes", [{"latency_ms": math.inf}, {"median_ms": 0.0}, {"spread": math.nan}, {"runs": 10**12}]
)
def test_a_row_that_could_not_be_read_again_is_not_written(tmp_path: Path, changes: dict[str, Any]) -> None:
    table = make_table()
    workload, row = next(iter(table.rows.items()))
    with pytest.raises(TableError, match="has an impossible value"):
        replace(table, rows={workload: replace(row, **changes)}).save(tmp_path / "t.csv")
    assert list(tmp_path.iterdir()) == []


def test_cold_latencies_and_exceptions_are_kept(tmp_path: Path) -> None:
    first, second, *_ = zoo("resnet-18").workloads()
    rows = {first: replace(row(1.0), cold_ms=1.25), second: replace(row(2.0), basis="alone")}
    path = tmp_path / "t.csv"
    LatencyTable(measured_card(basis="in-context"), rows).save(path)
    assert LatencyTable.load(path).rows == rows
    assert LatencyTable.load(path).card.basis == "in-context"


def test_a_table_from_before_there_were_contexts_loads(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    unit = zoo("resnet-18").workloads()[0]
    LatencyTable(measured_card(), {unit: row(1.0)}).save(path)
    for file in (path, networks_path(path)):
        lines = [",".join(line.rsplit(",", 2)[:1]) for line in file.read_text().splitlines()]
        file.write_text("\n".join(lines) + "\n")
    record = json.loads(card_path(path).read_text())
    record["sha256"] = {
        name: hashlib.sha256(file.read_bytes()).hexdigest()
        for name, file in (("rows", path), ("networks", networks_path(path)))
    }
    card_path(path).write_text(json.dumps(record))
    assert LatencyTable.load(path).rows == {unit: row(1.0)}


@pytest.mark.parametrize("basis", ["sideways", 3])
def test_an_unknown_basis_is_refused(tmp_path: Path, basis: object) -> None:
    path = tmp_path / "t.csv"
    LatencyTable(measured_card(), {zoo("resnet-18").workloads()[0]: row(1.0)}).save(path)
    record = json.loads(card_path(path).read_text())
    card_path(path).write_text(json.dumps(record | {"basis": basis}))
    with pytest.raises(TableError, match="missing or unknown entries"):
        LatencyTable.load(path)


def test_a_cold_latency_below_the_warm_one_is_impossible() -> None:
    assert not replace(row(2.0), cold_ms=1.9).is_possible
    assert replace(row(2.0), cold_ms=2.0).is_possible


def test_a_merged_row_keeps_what_one_table_knows_of_cold_caches() -> None:
    unit = zoo("resnet-18").workloads()[0]
    one, two = (
        LatencyTable(measured_card(basis="in-context"), {unit: replace(row(ms), cold_ms=cold)})
        for ms, cold in ((1.0, 1.5), (2.0, None))
    )
    assert one.merged_with(two).rows[unit].cold_ms == pytest.approx(1.5 + 0.5)


def test_tables_of_two_cache_sizes_do_not_merge() -> None:
    one, two = (
        LatencyTable(replace(measured_card(basis="in-context"), recipe={"last_cache_mb": size}), {})
        for size in (16.0, 32.0)
    )
    with pytest.raises(TableError, match="caches of two sizes"):
        one.merged_with(two)


@pytest.mark.parametrize("cells", [",,,extra", ""])
def test_a_row_has_as_many_cells_as_the_head(tmp_path: Path, cells: str) -> None:
    path = tmp_path / "t.csv"
    LatencyTable(measured_card(), {zoo("resnet-18").workloads()[0]: row(1.0)}).save(path)
    lines = path.read_text().splitlines()
    lines[1] = lines[1].removesuffix(",,") + cells
    path.write_text("\n".join(lines) + "\n")
    record = json.loads(card_path(path).read_text())
    record["sha256"]["rows"] = hashlib.sha256(path.read_bytes()).hexdigest()
    card_path(path).write_text(json.dumps(record))
    with pytest.raises(TableError, match="line 2 is no table row"):
        LatencyTable.load(path)
