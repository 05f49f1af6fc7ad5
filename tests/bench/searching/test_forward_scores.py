"""Scores kept on disk: found again by the same task alone, whatever else the file holds."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from toys import PLAIN_WITH_END
from zenbench.bench.searching import forward_scores
from zenbench.bench.searching.forward_scores import RESCORED, ForwardScores
from zenbench.errors import UserError
from zenbench.zen.cost import cost
from zenbench.zen.network import Network, parse_text
from zenbench.zen.search.budget import Budget
from zenbench.zen.search.evaluator import Candidate
from zenbench.zen.search.rescoring import ForwardScore
from zenbench.zen.search.task import SearchTask
from zenbench.zen.space import spaces

TASK = SearchTask(spaces()["resnet"], 16, 10, Budget(params=10**6))
NETWORKS = [parse_text(PLAIN_WITH_END, resolution, 10) for resolution in (16, 24, 32)]
CANDIDATES = [Candidate(network, 1.0, cost(network), ()) for network in NETWORKS]


def ignored(done: int) -> None:
    pass


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The resolutions of the networks that were scored, whose score is their resolution."""
    seen: list[int] = []

    def rescore(network: Network, task: SearchTask) -> ForwardScore:
        if network.resolution == 24:
            raise UserError("too large")
        seen.append(network.resolution)
        return ForwardScore(float(network.resolution), 0.5, 2.0)

    monkeypatch.setattr(forward_scores, "rescore", rescore)
    return seen


def test_a_score_is_on_disk_as_soon_as_it_is_known(tmp_path: Path, scored: list[int]) -> None:
    seen: list[tuple[int, int]] = []

    def report(done: int) -> None:
        seen.append((done, len((tmp_path / RESCORED).read_text().splitlines())))

    scores = ForwardScores(tmp_path, TASK)
    assert scores.add(CANDIDATES, report) == ["too large"]
    assert seen == [(1, 1), (2, 1), (3, 2)]
    assert scores.missing(CANDIDATES) == [CANDIDATES[1]]
    again = ForwardScores(tmp_path, TASK)
    assert again.of(NETWORKS[2]) == ForwardScore(32.0, 0.5, 2.0) and again.seconds == 4.0
    other = ForwardScores(tmp_path, replace(TASK, seed=1))
    assert other.missing(CANDIDATES) == CANDIDATES and other.seconds == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: line[:-9],
        lambda line: line.replace("32.0", "NaN") + "\n",
        lambda line: line.replace("32.0", "1" + 400 * "0") + "\n",
        lambda line: json.dumps({**json.loads(line), "digest": 3}) + "\n",
        lambda line: "[1]\n\n\xff\n",
        lambda line: "",
    ],
)
def test_a_damaged_line_loses_its_score_alone(
    tmp_path: Path, scored: list[int], damage: Callable[[str], str]
) -> None:
    ForwardScores(tmp_path, TASK).add(CANDIDATES, ignored)
    first, last = (tmp_path / RESCORED).read_text().splitlines()
    (tmp_path / RESCORED).write_text(first + "\n" + damage(last), "latin-1")
    scores = ForwardScores(tmp_path, TASK)
    assert scores.missing(CANDIDATES) == CANDIDATES[1:]
    scores.add(CANDIDATES[2:], ignored)
    assert ForwardScores(tmp_path, TASK).missing(CANDIDATES) == [CANDIDATES[1]]
    assert scored == [16, 32, 32]
