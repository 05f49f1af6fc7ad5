"""Latencies of other tools: columns named by the user, settings and sizes taken over from the other file."""

from pathlib import Path

import pytest
from toys import MOBILE
from zenbench.bench.latency_files.columns import Columns, parse_columns
from zenbench.bench.latency_files.foreign_columns import completed, read_either
from zenbench.bench.latency_files.latency_rows import LatencyRow, write_rows
from zenbench.errors import TableError, UserError
from zenbench.zen.families.nas_bench_201 import cell_network
from zenbench.zen.network import parse_text

CELL = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|"
SETTING = "onnxruntime/fp32/b1/t1/free"


def test_columns_are_read_as_written() -> None:
    assert parse_columns("network=arch, latency=lat_us") == Columns(
        {"network": "arch", "latency": "lat_us"}, "us"
    )
    assert parse_columns("latency=t [ms]") == Columns({"latency": "t [ms]"}, "ms")
    assert parse_columns("latency=lat:us,resolution=px").unit == "us"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "'' names no column"),
        ("arch", "'arch' names no column; write network=COLUMN"),
        ("speed=lat_us", "'speed=lat_us' names no column"),
        ("network=", "names no column"),
        ("network=a,network=b", "names the column of network twice"),
        ("latency=lat", "does not say its unit; add it, as in latency=lat:ms"),
        ("latency=lat:hours", "'hours' is no unit"),
        ("latency=lat_us:ms", "'lat_us' says us by its name, not ms"),
    ],
)
def test_what_names_no_column_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        parse_columns(text)


def test_a_foreign_file_is_read_by_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(f'\ufeffarch;lat_us\r\n"{MOBILE}";1500,5\r\n{CELL};"20"\r\nmine;7\r\n'.encode())
    rows = read_either(path, parse_columns("network=arch,latency=lat_us"))
    assert [row.network for row in rows] == [MOBILE, CELL, "mine"]
    assert [row.latency_ms for row in rows] == pytest.approx([1.5005, 0.02, 0.007])
    assert [row.digest for row in completed(rows, [])] == [
        parse_text(MOBILE).digest,
        cell_network(CELL).digest,
        "mine",
    ]
    assert {(row.device, row.setting) for row in rows} == {("", "")}


def test_our_own_files_and_names_need_no_columns(tmp_path: Path) -> None:
    own = [LatencyRow("n", "d", "host", SETTING, latency_ms=1.5, rounds=3)]
    write_rows(tmp_path / "own.csv", own)
    foreign = parse_columns("network=arch,latency=lat_us")
    assert read_either(tmp_path / "own.csv", Columns()) == own
    assert read_either(tmp_path / "own.csv", foreign, optional=True) == own
    with pytest.raises(TableError, match="lacks the columns arch, lat_us"):
        read_either(tmp_path / "own.csv", foreign)
    (tmp_path / "bare.csv").write_text("network,latency_ms\nn,2\n")
    assert read_either(tmp_path / "bare.csv", Columns())[0].latency_ms == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("arch,lat\nn,1\n", r"lacks the columns network, latency_ms; it has arch, lat: name them with --col"),
        ("network,latency_ms\n", "holds no rows"),
        ("network,latency_ms\nn,1\nn,2\n", "line 3 holds n again, as line 2 does"),
        ("network,latency_ms\nn,1\nm,0\n", "line 3: latency_ms is 0, an impossible"),
        ("network,latency_ms\nn,-1\n", "line 2: latency_ms is -1"),
        ("network,latency_ms\nn,nan\n", "line 2: latency_ms is nan"),
        ("network,latency_ms\nn,\n", "line 2 has no latency_ms"),
        ("network,latency_ms\n,1\n", "line 2 has no network"),
        ("network,latency_ms,device\nn,1,\n", "line 2 has no device"),
        ("network,latency_ms,resolution\nn,1,big\n", "line 2: resolution is 'big'"),
    ],
)
def test_faults_have_file_line_and_reason(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "f.csv").write_text(text)
    with pytest.raises(TableError, match=reason) as caught:
        read_either(tmp_path / "f.csv", Columns())
    assert "f.csv" in str(caught.value)


def test_what_a_file_does_not_say_is_taken_over() -> None:
    small = parse_text(MOBILE, 32, 10)
    ours = [LatencyRow(MOBILE, small.digest, "host", SETTING, 32, 10, latency_ms=1.0)]
    foreign = [LatencyRow(MOBILE, "", "", "", latency_ms=2.0)]
    (row,) = completed(foreign, ours)
    assert (row.digest, row.device, row.setting, row.resolution) == (small.digest, "host", SETTING, 32)
    assert completed(ours, foreign) == ours
    two = [*ours, LatencyRow(MOBILE, "other", "host", "onnxruntime/fp32/b1/t2/free", 64, 10, latency_ms=1.0)]
    (row,) = completed(foreign, two)
    assert (row.digest, row.setting) == (parse_text(MOBILE).digest, ""), "which of two is not known"
    elsewhere = [LatencyRow("n", "n", "pixel2", "", latency_ms=2.0)]
    assert completed(elsewhere, ours) == elsewhere, "another device is another setting"


def test_a_digest_that_a_file_names_stays() -> None:
    before = [LatencyRow("net.onnx", "of the old file", "host", SETTING, latency_ms=1.0)]
    after = [LatencyRow("net.onnx", "of the new file", "host", SETTING, latency_ms=2.0)]
    assert completed(before, after) == before and completed(after, before) == after
    foreign = [LatencyRow("net.onnx", "", "", "", latency_ms=2.0)]
    assert completed(foreign, before)[0].digest == "of the old file"


def test_sizes_that_one_file_names_hold_for_both() -> None:
    given = [LatencyRow(MOBILE, "", "", "", 32, 10, latency_ms=1.0)]
    without = [LatencyRow(MOBILE, "", "", "", latency_ms=2.0)]
    partly = [LatencyRow(MOBILE, "", "", "", 32, latency_ms=2.0)]
    other = [LatencyRow(MOBILE, "", "", "", 64, latency_ms=2.0)]
    small = parse_text(MOBILE, 32, 10).digest
    assert completed(given, without)[0].digest == small
    assert completed(without, given)[0].digest == completed(partly, given)[0].digest == small
    assert completed(other, given)[0].digest == parse_text(MOBILE, 64, 1000).digest


def test_the_unit_named_is_that_of_the_latency_alone(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("network,lat,reference_ms,half_a_ms,std_ms\nn,1500,2,1.4,0.1\n")
    (row,) = read_either(tmp_path / "f.csv", parse_columns("latency=lat:us"))
    assert (row.latency_ms, row.reference_ms, row.half_a_ms, row.std_ms) == (1.5, 2, 1.4, 0.1)
