import pytest
from hypothesis import given
from hypothesis import strategies as st
from zenbench.errors import UserError
from zenbench.quantities import count_of, format_count, format_ms, parse_count, parse_duration_ms, parse_share


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("11ms", 11.0),
        ("0.5s", 500.0),
        (".5 s", 500.0),
        ("300us", 0.3),
        ("300µs", 0.3),
        ("300\N{GREEK SMALL LETTER MU}s", 0.3),
        ("40ns", 4e-5),
        ("3m", 180_000.0),
        ("2 min", 120_000.0),
        ("1h", 3.6e6),
        ("1e3ms", 1000.0),
        ("11MS", 11.0),
    ],
)
def test_durations(text: str, ms: float) -> None:
    assert parse_duration_ms(text) == pytest.approx(ms)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("400M", 400_000_000),
        ("1.5G", 1_500_000_000),
        ("2B", 2_000_000_000),
        ("96k", 96_000),
        ("96000", 96_000),
    ],
)
def test_counts(text: str, count: int) -> None:
    assert parse_count(text) == count


@pytest.mark.parametrize(("text", "share"), [("10%", 0.1), ("0.1", 0.1), ("250 %", 2.5)])
def test_shares(text: str, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("11", "no unit"),
        ("11 parsecs", "unknown unit 'parsecs'"),
        ("", "not a duration"),
        ("ms", "not a duration"),
        ("-3ms", "not a duration"),
        ("nan ms", "not a duration"),
        ("0ms", "more than zero"),
        ("1e999s", "finite"),
    ],
)
def test_what_is_no_duration(text: str, fault: str) -> None:
    with pytest.raises(UserError, match=fault):
        parse_duration_ms(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [("4Q", "unknown suffix 'Q'"), ("many", "not a count"), ("0", "more than zero"), ("1e999", "finite")],
)
def test_what_is_no_count(text: str, fault: str) -> None:
    with pytest.raises(UserError, match=fault):
        parse_count(text)


@pytest.mark.parametrize(("text", "fault"), [("10ms", "unknown unit 'ms'"), ("0%", "more than zero")])
def test_what_is_no_share(text: str, fault: str) -> None:
    with pytest.raises(UserError, match=fault):
        parse_share(text)


@pytest.mark.parametrize(
    ("ms", "text"),
    [(0.87, "870 us"), (11.26, "11.3 ms"), (999.4, "999 ms"), (999.6, "1 s"), (2050, "2.05 s")],
)
def test_durations_are_shown_in_their_best_unit(ms: float, text: str) -> None:
    assert format_ms(ms) == text


@pytest.mark.parametrize(
    ("count", "text"), [(546_636, "546.6k"), (1_040_844, "1.041M"), (22e9, "22G"), (12, "12"), (3e12, "3T")]
)
def test_counts_are_shown_with_four_digits(count: float, text: str) -> None:
    assert format_count(count) == text


def test_zero_is_a_duration_only_where_it_is_allowed() -> None:
    assert parse_duration_ms("0ms", zero=True) == 0
    with pytest.raises(UserError, match="no unit"):
        parse_duration_ms("0", zero=True)


@given(st.floats(1e-4, 9e5))
def test_a_shown_duration_reads_back_within_its_digits(ms: float) -> None:
    assert parse_duration_ms(format_ms(ms)) == pytest.approx(ms, rel=6e-3)


@given(st.integers(1, 10**15))
def test_a_shown_count_reads_back_within_its_digits(count: int) -> None:
    assert parse_count(format_count(count)) == pytest.approx(count, rel=6e-4)


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_duration_ms, parse_count, parse_share):
        try:
            assert parse(text) > 0
        except UserError as error:
            assert text in str(error)


def test_one_is_not_many() -> None:
    assert [count_of(count, "network") for count in (0, 1, 2, 5000)] == [
        "0 networks",
        "1 network",
        "2 networks",
        "5,000 networks",
    ]
