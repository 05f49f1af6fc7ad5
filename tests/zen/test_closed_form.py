import csv
import json
from collections.abc import Callable
from dataclasses import astuple, replace
from math import sqrt
from statistics import fmean, stdev
from typing import Any, get_args

import pytest
import torch
from places import DATA
from scipy.stats import kendalltau
from torch.nn import functional
from zenbench.errors import NetworkError, UserError
from zenbench.zen.blocks import Block
from zenbench.zen.families import zoo
from zenbench.zen.graph import INPUT, Function, Graph
from zenbench.zen.graph_builder import GraphBuilder
from zenbench.zen.module import build_module
from zenbench.zen.network import Network, parse_text
from zenbench.zen.proxies import PROXIES, score
from zenbench.zen.proxies.activations import IDENTITY, RELU, Moments, moments, rectified_maximum
from zenbench.zen.proxies.base import READINGS, Reading
from zenbench.zen.proxies.closed_form import graph_score, zen_closed
from zenbench.zen.proxies.conv_variance import conv_gain
from zenbench.zen.proxies.zen_score import zen_samples
from zenbench.zen.search.budget import Budget
from zenbench.zen.search.evaluator import Evaluator

GOLDEN: dict[str, dict[str, Any]] = json.loads((DATA / "zen_scores.json").read_text())
DEEP_STEM = "SuperConvK3BNRELU(3,8,1,3)SuperResK5K5(8,9,2,7,2)"
FORWARD: list[dict[str, str]] = list(csv.DictReader((DATA / "closed_form_networks.csv").open()))
TOLERANCE: dict[Reading, float] = {"paper": 0.02, "running": 0.025}


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
def test_the_closed_form_is_near_forward_passes_of_many_networks(reading: Reading) -> None:
    assert len(FORWARD) == 324
    for row in FORWARD:
        network = parse_text(row["structure"], int(row["resolution"]))
        forward = float(row[f"{reading}_mean"])
        assert zen_closed(network, reading) == pytest.approx(forward, rel=TOLERANCE[reading]), str(network)


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("name", ["random-resnet", "random-mobilenet"])
def test_the_closed_form_ranks_random_networks(name: str, reading: Reading) -> None:
    rows = [row for row in FORWARD if row["set"] == name]
    ours = [zen_closed(parse_text(row["structure"], int(row["resolution"])), reading) for row in rows]
    assert kendalltau(ours, [float(row[f"{reading}_mean"]) for row in rows]).statistic >= 0.985


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize(
    "network",
    [
        *map(golden_network, list(GOLDEN)[::3]),
        parse_text("SuperConvK3BNRELU(3,8,1,3)SuperResK5K5(8,9,2,7,2)", 9),
    ],
)
def test_units_blocks_and_the_whole_graph_give_one_score(network: Network, reading: Reading) -> None:
    evaluator = Evaluator(network.resolution, network.classes, Budget(), reading)
    blocks = [block for block in network.blocks if isinstance(block, Block)]
    assert zen_closed(network, reading) == pytest.approx(evaluator.score(evaluator.genome(blocks)), abs=1e-9)
    assert zen_closed(network, reading) == pytest.approx(graph_score(network.graph(), reading), abs=1e-9)


@pytest.mark.parametrize("source", [IDENTITY, RELU], ids=["normal", "rectified"])
@pytest.mark.parametrize(
    ("kernel", "size", "stride", "channels"),
    [(1, 4, 1, 8), (3, 2, 1, 8), (5, 4, 2, 8), (7, 3, 1, 1), (3, 7, 2, 4)],
)
def test_a_convolutions_variance_is_that_of_drawn_ones(
    kernel: int, size: int, stride: int, channels: int, source: Moments
) -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = []
    for _ in range(12):
        x = torch.randn(512, channels, size, size, generator=generator)
        weight = torch.randn(1024, channels, kernel, kernel, generator=generator)
        y = functional.conv2d(
            x if source == IDENTITY else x.relu(), weight, stride=stride, padding=kernel // 2
        )
        drawn.append(y.var(dim=(0, 2, 3)).mean().item())
    error = stdev(drawn) / sqrt(len(drawn))
    assert error < 0.02 * fmean(drawn)
    gain = conv_gain(kernel, size, stride, source, padded_before=False)
    assert channels * gain.variance == pytest.approx(fmean(drawn), abs=3 * error)


@pytest.mark.parametrize(("kernel", "size"), [(3, 4), (3, 12), (5, 8), (7, 8), (7, 3)])
def test_a_padded_input_is_weaker_at_its_border(kernel: int, size: int) -> None:
    """Two convolutions of one kernel with batch norm and ReLU between, drawn and calculated."""
    generator = torch.Generator().manual_seed(0)
    drawn = []
    for _ in range(8):
        x = torch.randn(128, 16, size, size, generator=generator).relu()
        for outputs in (512, 32):
            weight = torch.randn(outputs, x.shape[1], kernel, kernel, generator=generator)
            y = functional.conv2d(x, weight, padding=kernel // 2)
            x = functional.batch_norm(y, None, None, training=True).relu()
        drawn.append(y.var(dim=(0, 2, 3)).mean().item() / 512)
    gain, flat = (conv_gain(kernel, size, 1, RELU, padded_before) for padded_before in (True, False))
    assert gain.variance == pytest.approx(fmean(drawn), rel=0.025)
    assert (gain.variance > 1.005 * flat.variance) == (size > kernel // 2 + 1)


SLOPE = 0.1
"""Of a leaky ReLU."""


@pytest.mark.parametrize("function", get_args(Function))
def test_moments_of_an_activation_are_those_of_drawn_ones(function: Function) -> None:
    builder = GraphBuilder((1, 1, 1))
    builder.activation(INPUT, function, SLOPE)
    x = torch.randn(2_000_000, 1, 1, 1, generator=torch.Generator().manual_seed(0), requires_grad=True)
    y = build_module(builder.graph())(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    expected = (y.square().mean(), y.mean() ** 2, slope.square().mean(), slope.abs().mean())
    assert astuple(moments(function, SLOPE))[:4] == pytest.approx(
        [value.item() for value in expected], rel=0.02, abs=1e-5
    )


@pytest.mark.parametrize("function", get_args(Function))
def test_heavy_tails_bend_the_moments_as_said(function: Function) -> None:
    builder = GraphBuilder((1, 1, 1))
    builder.activation(INPUT, function, SLOPE)
    f, normal = build_module(builder.graph()), moments(function, SLOPE)
    x = torch.randn(2_000_000, 1, 1, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    spread = 0.1
    r = torch.where(torch.arange(len(x)) % 2 == 0, 1 + spread, 1 - spread).view_as(x)
    with torch.no_grad():
        narrow, wide = f(x), f(x * r.sqrt())
    tail = spread**2 / 4
    change = wide.square().mean() - narrow.square().mean(), wide.mean() ** 2 - narrow.mean() ** 2
    assert change[0].item() == pytest.approx(normal.second_gain * tail, abs=4e-4)
    assert change[1].item() == pytest.approx(-normal.squared_mean_loss * tail, abs=4e-4)


def test_moments_of_a_max_pool_are_those_of_drawn_ones() -> None:
    x = torch.randn(200_000, 9, generator=torch.Generator().manual_seed(0)).amax(dim=1).relu()
    found = rectified_maximum(9)
    assert (found.second, found.squared_mean) == pytest.approx(
        (x.square().mean().item(), x.mean().item() ** 2), rel=0.01
    )


def _chain(*ops: Callable[[GraphBuilder, str], str]) -> Graph:
    builder, x = GraphBuilder((3, 32, 32)), INPUT
    for op in ops:
        x = op(builder, x)
    return builder.graph()


def _conv(builder: GraphBuilder, x: str) -> str:
    return builder.batch_norm(builder.conv(x, 64, 3))


def _activated(function: Function) -> Callable[[GraphBuilder, str], str]:
    return lambda builder, x: builder.activation(_conv(builder, x), function)


@pytest.mark.parametrize(
    "graph",
    [
        _chain(*[_activated("swish")] * 12),
        _chain(*[_activated("hard-swish")] * 12),
        _chain(*[_activated("relu6"), _conv] * 6),
        _chain(_activated("relu"), lambda b, x: b.pool(x, "max", 3, 2), *[_activated("relu")] * 4),
        _chain(_activated("relu"), lambda b, x: b.pool(x, "average", 2, 2), *[_activated("relu")] * 4),
    ],
    ids=["swish", "hard-swish", "linear", "max pool", "average pool"],
)
def test_other_chains_have_a_closed_form_too(graph: Graph) -> None:
    samples = zen_samples(graph, batch=16, repeats=4)
    assert graph_score(graph) == pytest.approx(fmean(samples.paper), rel=0.02)
    assert graph_score(graph, "running") == pytest.approx(fmean(samples.running), rel=0.03)


@pytest.mark.parametrize(
    ("ops", "reason"),
    [
        ([lambda b, x: b.concat([_conv(b, x), _conv(b, x)])], "joins or splits branches"),
        ([lambda b, x: b.conv(x, 8, 3), _conv], "no batch norm follows"),
        ([lambda b, x: b.conv(x, 8, 3)], "has no batch norm"),
        ([_activated("swish"), lambda b, x: b.pool(x, "max", 3, 1), _conv], "without known moments"),
        ([lambda b, x: b.pool(x, "average", 3, 1, counts_padding=True), _conv], "without known moments"),
        ([lambda b, x: b.conv(x, 4, 4, 4, padding=(0, 0, 0, 0))], "does not pad an odd kernel"),
        ([lambda b, x: b.conv(x, 4, 3, dilation=2)], "does not pad an odd kernel"),
    ],
)
def test_a_score_without_a_derivation_is_withheld_with_the_reason(
    ops: list[Callable[[GraphBuilder, str], str]], reason: str
) -> None:
    with pytest.raises(NetworkError, match=f"{reason}.*use --proxy zen"):
        graph_score(_chain(*ops))


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


def test_a_network_beyond_the_closed_form_is_refused() -> None:
    with pytest.raises(NetworkError, match="does not hold for a network so narrow; use --proxy zen"):
        zen_closed(parse_text("SuperConvK1BNRELU(3,1,1,9)", 16))


def test_a_graph_without_convolution_is_refused() -> None:
    with pytest.raises(NetworkError, match="no convolution before its pooling"):
        graph_score(_chain(lambda b, x: b.global_average_pool(x)))
