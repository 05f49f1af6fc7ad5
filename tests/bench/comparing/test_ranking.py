"""Proxies against known accuracies: what is joined, what is left out, and what a user sees."""

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from toys import PLAIN
from zenbench.bench.cli.main import main
from zenbench.bench.comparing.ranking import Known, choose, rank, read_known, write_scores
from zenbench.bench.networks.reading import networks_only, read
from zenbench.errors import TableError, UserError
from zenbench.zen.graph import Graph
from zenbench.zen.network import Network, parse_text
from zenbench.zen.proxies import PROXIES, Proxy, counts, score
from zenbench.zen.proxies.base import Score

CELLS = [
    f"|{op}~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|"
    for op in ("nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
]
TEXT = "SuperConvK3BNRELU(3,{width},1,1)"
WIDTHS = (8, 16, 24, 32)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "known.csv"
    rows: list[list[object]] = [
        ["arch", "note", "top1"],
        *[[TEXT.format(width=width), "", 90 + width] for width in WIDTHS],
        [TEXT.format(width=40), "", ""],
        ["nonsense(", "", 1],
        [TEXT.format(width=48), "", "OOM"],
    ]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def known_networks(values: list[float]) -> list[Known]:
    networks = networks_only([read(TEXT.format(width=8 + i)) for i in range(len(values))], "ranked")
    return [Known(network, value) for network, value in zip(networks, values, strict=True)]


def width(network: Network) -> float:
    return network.blocks[0].out_channels


def test_networks_are_read_with_what_is_amiss_in_their_rows(table: Path) -> None:
    known, missing = read_known(table, "top1", "arch", 32, 10)
    assert [(width(one.network), one.value) for one in known] == [(w, 90 + w) for w in WIDTHS]
    assert {(one.network.resolution, one.network.classes) for one in known} == {(32, 10)}
    assert [one.network for one in missing] == [TEXT.format(width=40), "nonsense(", TEXT.format(width=48)]
    assert "no value in the column 'top1'" in missing[0].reason
    assert "unclosed bracket" in missing[1].reason
    assert "is 'OOM', no number" in missing[2].reason


def test_only_the_networks_asked_for_are_ranked(table: Path) -> None:
    known, _ = read_known(table, "top1", "arch")
    wanted = networks_only([read(TEXT.format(width=w)) for w in (24, 8, 99)], "ranked")
    found, missing = choose(known, wanted, table)
    assert [one.value for one in found] == [114, 98]
    assert [one.network for one in missing] == [TEXT.format(width=99)]


def test_order_decides_the_correlation() -> None:
    up, down = known_networks([1, 2, 3, 4]), known_networks([4, 3, 2, 1])
    assert (rank(up, "p", width).spearman, rank(up, "p", width).kendall) == pytest.approx((1, 1))
    assert (rank(down, "p", width).spearman, rank(down, "p", width).kendall) == pytest.approx((-1, -1))


def test_ties_are_counted_and_thin_the_correlation() -> None:
    found = rank(known_networks([1, 1, 2, 3]), "p", lambda network: width(network) // 2)
    assert (found.tied_values, found.tied_scores, found.used) == (2, 4, 4)
    # tau-b by hand: 4 pairs agree, 1 is tied in both, 1 in the score alone: 4 / sqrt(4 x 5).
    assert found.kendall == pytest.approx(4 / 20**0.5)


def test_too_little_to_tell_is_no_number() -> None:
    assert rank(known_networks([1, 2]), "p", width).kendall is None
    assert rank(known_networks([1, 2, 3]), "p", lambda _: 1.0).spearman is None


def test_a_proxy_that_fails_on_one_network_goes_on(tmp_path: Path) -> None:
    def picky(network: Network) -> float:
        if width(network) == 9:
            raise UserError("9 is odd")
        return width(network)

    known = known_networks([1, 2, 3, 4])
    found = rank(known, "picky", picky)
    assert found.scores == (8, None, 10, 11) and found.used == 3
    assert [(one.network, one.reason) for one in found.missing] == [(TEXT.format(width=9), "9 is odd")]
    write_scores(tmp_path / "s.csv", "top1", known, [found])
    rows = list(csv.DictReader((tmp_path / "s.csv").read_text().splitlines()))
    assert [row["picky"] for row in rows] == ["8", "", "10", "11"]
    assert rows[0]["digest"] == known[0].network.digest and rows[3]["top1"] == "4"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "lacks the columns network, top1; it has none"),
        ("network,top1\n", "holds no networks"),
        ("network,accuracy\na,1\n", "lacks the column top1; it has network, accuracy"),
        ("network,top1,top1\na,1,2\n", "the column top1 more than once"),
        ("network,top1\na,1,2\n", "line 2 has another number of cells than the header: 3, not 2"),
        ('network,top1\n"a,1\n', "not valid CSV"),
        (f"network,top1\n{CELLS[0]},1\n{CELLS[0]},2\n", "twice; keep one"),
    ],
)
def test_a_file_that_is_no_table_of_networks_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(TableError, match=fault):
        read_known(tmp_path / "bad.csv", "top1")
    with pytest.raises(TableError, match="there is no file"):
        read_known(tmp_path / "none.csv", "top1")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(["rank", *arguments])
    captured = capsys.readouterr()
    return int(caught.value.code or 0), captured.out, captured.err


def test_the_command_answers_and_says_what_it_left_out(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def odd(graph: Graph, batch: int, repeats: int, seed: int) -> Score:
        channels = graph.ops[0].shape[0]
        if channels == 16:
            raise UserError("16 is left out")
        return Score("odd", -channels, None, repeats, 0.0)

    monkeypatch.setattr(counts, "odd", odd, raising=False)
    monkeypatch.setitem(PROXIES, "odd", Proxy("counts", "odd", "odd"))
    out, plot = table.with_name("scores.csv"), table.with_name("plot.png")
    common = ("--against", str(table), "--column", "top1", "--network-column", "arch", "--resolution", "16")
    code, answer, talk = run(
        capsys,
        *common,
        "--proxies",
        "zen-closed,odd",
        "--out",
        str(out),
        "--plot",
        str(plot),
        "--format",
        "json",
    )
    assert code == 0
    closed, failing = json.loads(answer)
    assert closed["kendall"] == pytest.approx(1) and closed["used"] == 4 and closed["missing_count"] == 3
    assert failing["kendall"] == pytest.approx(-1) and failing["used"] == 3
    assert failing["missing"][-1] == {"network": TEXT.format(width=16), "reason": "16 is left out"}
    assert talk.count("16 is left out") == talk.count("unclosed bracket") == 1
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert len(out.read_text().splitlines()) == 5

    code, answer, _ = run(capsys, *common, TEXT.format(width=8), TEXT.format(width=16), "--format", "csv")
    (row,) = csv.DictReader(answer.splitlines())
    assert (code, row["used"], row["kendall"]) == (0, "2", "")
    assert "zen-closed" in run(capsys, *common)[1]


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        (("--proxies", "magic"), "no proxy 'magic'; known are zen"),
        (("--proxies", ","), "no proxy ''; known are zen"),
        (("--column", "price"), "lacks the column price"),
        (("--plot", "plot.txt"), "must end in .png, .svg, .pdf"),
        ((TEXT.format(width=99),), "leaves no network to rank"),
    ],
)
def test_a_mistake_is_one_sentence(
    table: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], fault: str
) -> None:
    code, answer, talk = run(
        capsys, "--against", str(table), "--column", "top1", "--network-column", "arch", *more
    )
    assert (code, answer, len(talk.splitlines())) == (2, "", 1)
    assert fault in talk


def test_the_file_that_is_read_is_not_overwritten(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = table.read_text()
    arguments = ("--against", str(table), "--column", "top1", "--network-column", "arch", "--out", str(table))
    code, _, talk = run(capsys, *arguments)
    assert code == 2 and "would overwrite" in talk
    assert table.read_text() == before


def accuracies(folder: Path, cells: Sequence[str]) -> Path:
    path = folder / "acc.csv"
    path.write_text("network,top1\n" + "".join(f"{cell},{number}\n" for number, cell in enumerate(cells)))
    return path


def test_networks_without_a_closed_form_are_ranked_by_forward_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = accuracies(tmp_path, CELLS[:3])
    common = ("--against", str(path), "--column", "top1", "--resolution", "8", "--format", "json")
    code, answer, talk = run(capsys, *common)
    (ranking,) = json.loads(answer)
    assert (code, ranking["proxy"], ranking["used"]) == (0, "zen", 3)
    assert "no closed form (the Zen-Score has no closed form here" in talk and "ranking by zen" in talk
    code, answer, _ = run(capsys, *common, "--proxies", "zen-closed")
    assert code == 1 and json.loads(answer)[0]["used"] == 0


def test_a_proxy_has_a_batch_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = []

    def seen(graph: Graph, batch: int, repeats: int, seed: int) -> Score:
        batches.append(batch)
        return Score("seen", 1.0, None, repeats, 0.0)

    monkeypatch.setattr(counts, "seen", seen, raising=False)
    as_seen = {"module": "counts", "function": "seen", "options": ()}
    for name in ("naswot", "synflow"):
        monkeypatch.setitem(PROXIES, name, replace(PROXIES[name], **as_seen))
        score(parse_text(PLAIN, 8), name)
        score(parse_text(PLAIN, 8), name, batch=8)
    assert batches == [64, 8, 16, 8]
