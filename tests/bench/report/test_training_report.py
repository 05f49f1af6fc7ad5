"""The report of a training: how accurate the network is, and how it came to that."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from report_charts import values
from toy_images import STRUCTURE, toy_file
from zenbench.bench.charts.style import PAGE
from zenbench.bench.charts.training import accuracy_by_epoch
from zenbench.bench.cli.main import main
from zenbench.bench.report.facts import gather
from zenbench.bench.training.card import CARD, read_card
from zenbench.errors import UserError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    data = toy_file(folder.parent / "toy.npz")
    command = ["train", STRUCTURE, "--data", data, "--out", str(folder), "--epochs", "3", "--batch", "16"]
    with pytest.raises(SystemExit):
        main(command)
    return folder


def test_the_page_says_what_the_card_does(trained: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["report", str(trained)])
    assert not caught.value.code
    page = (trained / "report.html").read_text("utf-8")
    top1 = json.loads((trained / CARD).read_text())["history"][-1]["top1"]
    assert f"Trained to {100 * top1:.1f}\u00a0% of the 32 test images" in page
    assert "The trained network" in page and "<h2>Tables</h2>" not in page and 'class="missing"' not in page
    assert (trained / "figures/accuracy-by-epoch.svg").exists()


def test_the_figure_has_every_epoch(trained: Path) -> None:
    card = read_card(trained / CARD)
    drawn = accuracy_by_epoch(PAGE, card)
    assert values(drawn, "epoch") == [1, 2, 3] * 2
    assert values(drawn, "top1")[3:] == pytest.approx([100 * one for one in card.top1])


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"history": []}', "torn"])
def test_a_damaged_card_is_told(content: str, tmp_path: Path) -> None:
    (tmp_path / CARD).write_text(content)
    with pytest.raises(UserError, match="is no card of a training by this version"):
        read_card(tmp_path / CARD)


def test_an_interrupted_search_is_told(tmp_path: Path) -> None:
    (tmp_path / "search.json").write_text("{}")
    with pytest.raises(UserError, match="holds a search that was interrupted; run it again"):
        gather(tmp_path)
