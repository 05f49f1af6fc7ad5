"""CSV files of spreadsheets and other tools: read where unambiguous, else refused with line and reason."""

from pathlib import Path

import pytest
from zenbench.bench.csv_file import CsvFile, read_csv, unit_of
from zenbench.errors import TableError


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "f.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def file_of(tmp_path: Path, text: str | bytes) -> CsvFile:
    return read_csv(written(tmp_path, text))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_marks_and_line_ends(tmp_path: Path, delimiter: str, mark: str, end: str) -> None:
    rows = [["network", "latency_ms"], ['"a(3,8;2)"', " 1.5 "], [], ["", ""], ["b", "2e0"]]
    file = file_of(tmp_path, mark + end.join(delimiter.join(row) for row in rows) + end)
    assert file.columns == ("network", "latency_ms")
    assert [file.text(record, "network") for record in file.records] == ["a(3,8;2)", "b"]
    assert [file.number(record, "latency_ms") for record in file.records] == [1.5, 2.0]
    assert file.place(file.records[1]) == f"{file.path}, line 5", "empty rows are skipped and counted"


def test_a_record_begins_where_its_first_line_does(tmp_path: Path) -> None:
    file = file_of(tmp_path, 'network,"a\nnote"\n"first\r\nof two",x\nlast,y\n')
    assert [(record.line, file.text(record, "network")) for record in file.records] == [
        (3, "first\r\nof two"),
        (5, "last"),
    ]


def test_columns_without_a_name_are_left_alone(tmp_path: Path) -> None:
    file = file_of(tmp_path, ",network,latency_ms,\n0,a,1,\n1,b,2,note\n")
    assert file.columns == ("network", "latency_ms")
    assert [dict(record.cells) for record in file.records] == [
        {"network": "a", "latency_ms": "1"},
        {"network": "b", "latency_ms": "2"},
    ]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_commas_are_known_by_the_whole_column(tmp_path: Path, delimiter: str) -> None:
    text = "name|a|b|c|d\nx|1,250|1,250|1,2|1\ny|0,5|3,125|1.5|20\n".replace("|", delimiter)
    file = file_of(tmp_path, text)
    first, second = file.records
    assert file.decimal_commas == {"a"}
    assert (file.number(first, "a"), file.number(second, "a")) == (1.25, 0.5)
    assert (file.number(first, "d"), file.number(second, "d")) == (1, 20)
    for column, cell in (("b", "1,250"), ("c", "1,2")):
        with pytest.raises(TableError, match=rf"f\.csv, line 2: {column} is '{cell}', .*two ways"):
            file.number(first, column)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("1_000", "'1_000', not a number"),
        ("\u0661", "not a number"),
        ("0x1p3", "not a number"),
        ("1 ms", "not a number"),
        ("fast", "not a number"),
        ("nan", "is nan; it must be finite"),
        ("-Infinity", "finite"),
        ("1e999", "finite"),
        ("0", "is 0, an impossible latency"),
        ("-0.0", "impossible"),
        ("-3", "impossible"),
        (
            "1e13",
            "is 1e13, an impossible latency; it must be from a picosecond to eleven days, and is read in ms",
        ),
        ("1e-10", "impossible"),
        ('""', "has no latency_ms"),
    ],
)
def test_latencies_that_are_none_are_refused_with_their_line(tmp_path: Path, cell: str, reason: str) -> None:
    file = file_of(tmp_path, f"network,latency_ms\na,1\nb,{cell}\n")
    assert file.latency_ms(file.records[0], "latency_ms") == 1
    with pytest.raises(TableError, match=rf"f\.csv, line 3.*{reason}"):
        file.latency_ms(file.records[1], "latency_ms")


@pytest.mark.parametrize("cell", ["0", "0.0", "-1", "1.5", "1_0", "\u00b2", "ten", "9" * 5000])
def test_whole_numbers(tmp_path: Path, cell: str) -> None:
    file = file_of(tmp_path, f"network,runs\na,{cell}\nb,\nc,12\nd,12.0\n")
    assert [file.whole(record, "runs") for record in file.records[1:]] == [None, 12, 12], (
        "as pandas writes it"
    )
    with pytest.raises(TableError, match=r"line 2: runs is .*not a whole number above 0"):
        file.whole(file.records[0], "runs")


def test_units_are_those_of_the_columns_names(tmp_path: Path) -> None:
    names = ["lat_us", "latency_ms", "time_s", "Latency (us)", "t[ms]", "ns", "latency", "params", "classes"]
    assert [unit_of(name) for name in names] == ["us", "ms", "s", "us", "ms", "ns", None, None, None]
    assert unit_of("t_\N{MICRO SIGN}s") == unit_of("t (\N{GREEK SMALL LETTER MU}s)") == "us"
    file = file_of(tmp_path, "lat_us,time_s,latency\n1500,0.25,7\n")
    (record,) = file.records
    assert file.latency_ms(record, "lat_us") == pytest.approx(1.5)
    assert file.latency_ms(record, "time_s") == pytest.approx(250)
    assert file.latency_ms(record, "latency", "us") == pytest.approx(0.007)
    with pytest.raises(TableError, match=r"the column latency of .* does not say its unit"):
        file.latency_ms(record, "latency")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b\n1,2\n3\n", "line 3 has another number of cells than the header: 1, not 2"),
        ("a,b\n1,2,3\n", "line 2 has another number"),
        ("a,b,a\n1,2,3\n", "line 1 has the column a more than once"),
        ('a,b\n"1,2\n', "line 2 is not valid CSV: unexpected end"),
        ('a,b\n1,2\n"1"x,2\n', "line 3 is not valid CSV"),
        ('"a,b\n1,2\n', "line 1 is not valid CSV"),
        ("a,b\n1," + "x" * 131_073, "line 2 is not valid CSV: field larger than field limit"),
        (b"a,b\n1,2\n\xff,2\n", "line 3 cannot be read as UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "line 1 cannot be read as UTF-8"),
        (b"a,b\r\n1,\x002\r\n", "line 2 holds a NUL character"),
        ("a,b;c\n1,2;3\n", "into 2 columns at commas as at semicolons"),
    ],
)
def test_damaged_files_are_refused_in_one_sentence(tmp_path: Path, text: str | bytes, reason: str) -> None:
    with pytest.raises(TableError, match=reason) as caught:
        file_of(tmp_path, text)
    assert "f.csv" in str(caught.value) and "\n" not in str(caught.value)


def test_missing_files_folders_and_columns(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"there is no file .*none\.csv"):
        read_csv(tmp_path / "none.csv")
    with pytest.raises(TableError, match="cannot be read: Is a directory"):
        read_csv(tmp_path)
    with pytest.raises(TableError, match=r"f\.csv lacks the columns b, c; it has a, d"):
        file_of(tmp_path, "a,d\n1,2\n").need("a", "b", "c")
    assert file_of(tmp_path, "").columns == ()
