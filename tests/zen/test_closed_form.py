import json
from dataclasses import replace
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
import torch
from scipy.stats import kendalltau
from torch.nn import functional
from zenbench.errors import UserError
from zenbench.zen.families import zoo, zoo_names
from zenbench.zen.network import Network, parse_text
from zenbench.zen.proxies import PROXIES, score
from zenbench.zen.proxies.base import READINGS, Reading
from zenbench.zen.proxies.closed_form import conv_variance, graph_terms, log_delta, zen_closed

GOLDEN: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "zen_scores.json").read_text()
)
TOLERANCE: dict[Reading, float] = {"paper": 0.03, "running": 0.04}


def golden_network(row: str) -> Network:
    return parse_text(GOLDEN[row]["structure"], GOLDEN[row]["resolution"])


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("row", GOLDEN)
def test_the_closed_form_is_near_the_reference(row: str, reading: Reading) -> None:
    expected = GOLDEN[row][f"{reading}_mean"]
    assert zen_closed(golden_network(row), reading) == pytest.approx(expected, rel=TOLERANCE[reading])


@pytest.mark.parametrize("reading", READINGS)
def test_the_closed_form_ranks_as_the_reference(reading: Reading) -> None:
    ours = [zen_closed(golden_network(row), reading) for row in GOLDEN]
    golden = [row[f"{reading}_mean"] for row in GOLDEN.values()]
    assert kendalltau(ours, golden).statistic >= 0.985


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("name", zoo_names())
def test_the_sum_over_units_is_that_over_the_whole_graph(name: str, reading: Reading) -> None:
    network = zoo(name)
    terms = graph_terms(network.graph())
    (*_, features, _pool, _linear) = network.graph().trunk().ops
    channels, height, width = features.shape
    direct = terms.of(reading) + log_delta(channels * height * width, terms.convolutions)
    assert zen_closed(network, reading) == pytest.approx(direct, abs=1e-9)


@pytest.mark.parametrize("gaussian", [True, False])
@pytest.mark.parametrize(
    ("kernel", "size", "stride", "channels"),
    [(1, 4, 1, 8), (3, 2, 1, 8), (5, 4, 2, 8), (7, 3, 1, 1), (3, 7, 2, 4)],
)
def test_a_convolutions_variance_is_that_of_drawn_ones(
    kernel: int, size: int, stride: int, channels: int, gaussian: bool
) -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = []
    for _ in range(12):
        x = torch.randn(512, channels, size, size, generator=generator)
        weight = torch.randn(1024, channels, kernel, kernel, generator=generator)
        y = functional.conv2d(x if gaussian else x.relu(), weight, stride=stride, padding=kernel // 2)
        drawn.append(y.var(dim=(0, 2, 3)).mean().item())
    error = stdev(drawn) / sqrt(len(drawn))
    assert error < 0.02 * fmean(drawn)
    assert conv_variance(kernel, size, stride, channels, gaussian) == pytest.approx(
        fmean(drawn), abs=3 * error
    )


def test_gates_and_shortcuts_do_not_count() -> None:
    network = zoo("zennet-900m-se")
    assert zen_closed(network) == zen_closed(replace(network, squeeze_excite=False))


def test_the_registry_gives_an_exact_score() -> None:
    network = zoo("zennet-cifar-1m")
    result = score(network, "zen-closed", "running", batch=64, repeats=9, seed=4)
    assert result.value == zen_closed(network, "running")
    assert (result.proxy, result.std, result.sem) == ("zen-closed", 0.0, 0.0)
    assert result.seconds > 0


def test_an_unknown_proxy_or_reading_is_refused_with_the_known_ones() -> None:
    network = zoo("zennet-cifar-1m")
    with pytest.raises(UserError, match=f"no proxy 'grandma'; known are {', '.join(PROXIES)}"):
        score(network, "grandma")
    with pytest.raises(UserError, match=r"no reading 'tea'.*; known are paper, running"):
        score(network, reading="tea")  # type: ignore[arg-type]
