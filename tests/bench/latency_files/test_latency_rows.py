"""Latency files: round trip, tolerance where nothing is ambiguous, and faults with file and line."""

from pathlib import Path

import pytest
from zenbench.bench.latency_files.latency_rows import LatencyRow, read_rows, write_rows
from zenbench.errors import TableError

ROWS = [
    LatencyRow(
        "zoo:x", "d1", "host", "s", 224, 1000, 1.25, 1.25, 0.1, half_a_ms=1.2, rounds=5, verdict="quiet"
    ),
    LatencyRow("a,b(1,2)", "d2", "host", "s", error='refused: "no", it said'),
]
HEAD = "network,digest,device,setting,latency_ms\n"


def test_round_trip(tmp_path: Path) -> None:
    write_rows(tmp_path / "r.csv", ROWS)
    assert read_rows(tmp_path / "r.csv") == ROWS
    header = (tmp_path / "r.csv").read_text().splitlines()[0]
    assert "coverage" not in header, "columns that hold nothing are left out"


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + HEAD + "n,d,host,s,1.5\n",
        (HEAD + "n,d,host,s,1.5\n").replace("\n", "\r\n"),
        "extra," + HEAD + "9,n,d,host,s, 1.5 \n",
        HEAD.replace(",", ";") + "n;d;host;s;1,5\n",
    ],
    ids=["byte-order mark", "windows line ends", "foreign column", "semicolons and a decimal comma"],
)
def test_harmless_differences_are_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.csv").write_bytes(text.encode())
    assert read_rows(tmp_path / "r.csv") == [LatencyRow("n", "d", "host", "s", latency_ms=1.5)]


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "lacks the column"),
        ("network,latency_ms\nn,1\n", "lacks the columns digest, device, setting"),
        (HEAD, "no rows"),
        (HEAD + "n,d,host,s,fast\n", "line 2: latency_ms is 'fast'"),
        (HEAD + "n,d,host,s,1\nn,d,host,s,nan\n", "line 3: latency_ms is nan"),
        (HEAD + "n,d,host,s,inf\n", "finite"),
        (HEAD + "n,d,host,s,0\n", "impossible latency"),
        (HEAD + "n,d,host,s,-3\n", "impossible latency"),
        (HEAD + "n,d,host,s,\n", "has no latency_ms"),
        (HEAD + "n,,host,s,1\n", "has no digest"),
        (HEAD + "n,d,host\n", "number of cells"),
        (HEAD + "n,d,host,s,1,9\n", "number of cells"),
        (HEAD + 'n,"d,host,s,1\n', "not valid CSV"),
        (
            HEAD.replace(",", ";") + "n;d;host;s;1,234\n",
            "line 2: latency_ms is '1,234', a number that can be",
        ),
        (HEAD + "n,d,host,s,1_000\n", "line 2: latency_ms is '1_000', not a number"),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(TableError, match=reason) as caught:
        read_rows(tmp_path / "r.csv")
    assert "r.csv" in str(caught.value)


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="there is no file"):
        read_rows(tmp_path / "none.csv")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(TableError, match="cannot be read"):
        read_rows(tmp_path / "b.csv")


@pytest.mark.parametrize(
    "text, reason",
    [
        ('"' + HEAD, "line 1 is not valid CSV"),
        (HEAD.replace("\n", ",latency_ms\n") + "n,d,host,s,1,2\n", "the column latency_ms more than once"),
        (
            HEAD.replace("\n", ",half_a_ms,half_b_ms\n") + "n,d,host,s,1,1,0\n",
            "line 2: half_b_ms is 0, an impossible",
        ),
        (HEAD.replace("\n", ",std_ms\n") + "n,d,host,s,1,-1\n", "line 2: std_ms is -1, an impossible"),
        (
            HEAD.replace("\n", ",std_ms\n") + "n,d,host,s,1,1e100\n",
            "line 2: std_ms is 1e\\+100, an impossible",
        ),
    ],
)
def test_faults_that_would_spoil_an_agreement_are_named(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(TableError, match=reason):
        read_rows(tmp_path / "r.csv")


def test_a_deviation_of_zero_is_possible(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(HEAD.replace("\n", ",std_ms\n") + "n,d,host,s,1,0\n")
    assert read_rows(tmp_path / "r.csv")[0].std_ms == 0
