"""The figure of proxies against a column: a panel per proxy, in every format."""

from pathlib import Path

import pytest
from zenbench.bench.charts.figure_file import write_chart
from zenbench.bench.charts.ranking import proxies_against_column
from zenbench.bench.comparing.ranking import Known, Ranking
from zenbench.zen.families import zoo

KNOWN = [Known(zoo("zoo:resnet-18"), value) for value in (70.0, 75.5, 60.0)]


def ranking(proxy: str, *scores: float | None) -> Ranking:
    return Ranking(proxy, None, None, sum(score is not None for score in scores), 0, 0, scores, ())


def test_there_is_a_panel_for_each_proxy_and_a_dot_for_each_score() -> None:
    chart = proxies_against_column("top1", KNOWN, [ranking(f"p{i}", 1, None, 3) for i in range(5)])
    assert [panel["encoding"]["x"]["title"] for panel in chart["concat"]] == [f"p{i}" for i in range(5)]
    assert chart["concat"][0]["data"]["values"] == [{"score": 1, "value": 70.0}, {"score": 3, "value": 60.0}]


@pytest.mark.parametrize(
    ("scores", "kind"), [((1, 2, 400), "log"), ((1, 2, 3), None), ((-400, 1, 2), None), ((0, 1, 400), None)]
)
def test_scores_that_spread_widely_are_drawn_on_a_logarithmic_axis(
    scores: tuple[float, ...], kind: str | None
) -> None:
    (panel,) = proxies_against_column("top1", KNOWN, [ranking("p", *scores)])["concat"]
    assert panel["encoding"]["x"]["scale"].get("type") == kind


def test_a_column_of_several_lines_has_a_title_of_one(tmp_path: Path) -> None:
    chart = proxies_against_column("top1\n(%)", KNOWN, [ranking("p", 1, 2, 3)])
    assert chart["concat"][0]["encoding"]["y"]["title"] == "top1 (%)"
    write_chart(tmp_path / "plot.svg", chart)


@pytest.mark.parametrize(
    ("name", "start"), [("plot.svg", b"<svg"), ("deep/plot.png", b"\x89PNG"), ("p.pdf", b"%PDF")]
)
@pytest.mark.parametrize("scores", [(1, 2, 3), (5, 5, 5), (None, None, None), (1e-9, 1, 1e12)])
def test_every_format_is_written(
    tmp_path: Path, name: str, start: bytes, scores: tuple[float | None, ...]
) -> None:
    write_chart(tmp_path / name, proxies_against_column("top1", KNOWN, [ranking("p", *scores)]))
    assert (tmp_path / name).read_bytes().startswith(start)
